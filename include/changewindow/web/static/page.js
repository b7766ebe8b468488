// What every page does: links to Airflow leave the frame, and forms trigger DAGs.
"use strict";
(() => {
  const isFramed = window.parent !== window;

  // The frame may not navigate Airflow's page; a link in Airflow's own document may.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-airflow-page]");
    if (!link || !isFramed || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const outside = window.parent.document.createElement("a");
    outside.href = link.href;
    window.parent.document.body.append(outside);
    outside.click();
    outside.remove();
  });

  // A form triggers a DAG over Airflow's API, as the user who is logged in; the run says what became of it.
  const api = (path) => `${document.body.dataset.airflow}api/v2/${path}`;
  const say = (form, ...parts) => form.querySelector("[role=status]").replaceChildren(...parts);
  const reason = async (answer) => {
    const body = await answer.json().catch(() => ({}));
    return typeof body.detail === "string" ? body.detail : `Airflow answers ${answer.status}: ${JSON.stringify(body)}`;
  };
  const runLink = (dag, run, text) => {
    const link = document.createElement("a");
    link.href = `${document.body.dataset.airflow}dags/${encodeURIComponent(dag)}/runs/${encodeURIComponent(run)}`;
    link.dataset.airflowPage = "";
    link.textContent = text;
    return link;
  };
  const follow = async (form, dag, run) => {
    const answer = await fetch(api(`dags/${encodeURIComponent(dag)}/dagRuns/${encodeURIComponent(run)}`));
    if (!answer.ok) return;
    const now = await answer.json();
    say(form, `${now.state}${now.note ? `: ${now.note}` : ""} `, runLink(dag, run, "See its run"));
    form.dispatchEvent(new CustomEvent("runchange", { detail: now }));
    if (["queued", "running"].includes(now.state)) setTimeout(() => follow(form, dag, run), 1500);
  };
  const conf = (form) => {
    const given = {};
    for (const field of form.elements) {
      if (!field.name) continue;
      if (field.dataset.json !== undefined) given[field.name] = JSON.parse(field.value);
      else if (field.type === "checkbox") given[field.name] = field.checked;
      else if (field.type === "number") given[field.name] = field.value === "" ? null : Number(field.value);
      else if (field.value !== "") given[field.name] = field.value;
    }
    return given;
  };
  const trigger = async (form) => {
    const dag = form.dataset.trigger;
    const button = form.querySelector("button:not([type=button])");
    button.disabled = true;
    say(form, "Asking Airflow ...");
    try {
      const answer = await fetch(api(`dags/${encodeURIComponent(dag)}/dagRuns`), {
        method: "POST",
        credentials: "same-origin",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ logical_date: null, conf: conf(form) }),
      });
      if (!answer.ok) {
        say(form, await reason(answer));
        button.disabled = false;
        return;
      }
      const run = await answer.json();
      await follow(form, dag, run.dag_run_id);
    } catch (error) {
      say(form, `Airflow does not answer (${error.message}). Look at the runs of ${dag} before you ask again.`);
      button.disabled = false;
    }
  };
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-trigger]")) return;
    event.preventDefault();
    trigger(event.target);
  });

  // The zones of this browser, and its own one first.
  const zones = document.getElementById("zones");
  document.getElementById("zone")?.addEventListener(
    "focus",
    () => {
      const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
      for (const name of [own, ...Intl.supportedValuesOf("timeZone")]) {
        const option = document.createElement("option");
        option.value = name;
        zones.append(option);
      }
    },
    { once: true },
  );
})();
