// What every page does: links to Airflow leave the frame, live pages ask again, and forms trigger DAGs.
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

  // A live page asks again; what is typed or opened in the meantime stays.
  const isBusy = (main) =>
    main.contains(document.activeElement) && document.activeElement.matches("input, textarea, select, button");
  const stale = document.getElementById("stale");
  const replaceMain = (text) => {
    const made = new DOMParser().parseFromString(text, "text/html");
    const main = document.getElementById("main");
    const fresh = made.getElementById("main");
    if (!fresh) throw new Error("the answer is no page of ours");
    const open = new Set([...main.querySelectorAll("details[open][id]")].map((each) => each.id));
    main.replaceChildren(...fresh.childNodes);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    document.getElementById("made")?.replaceWith(made.getElementById("made") ?? "");
    document.dispatchEvent(new Event("pagechange"));
  };
  const look = async (main) => {
    try {
      const answer = await fetch(location.href, { credentials: "same-origin" });
      if (!answer.ok) throw new Error(answer.status === 401 ? "you are logged out" : `answer ${answer.status}`);
      const text = await answer.text();
      if (!isBusy(main)) replaceMain(text);
      stale.hidden = true;
    } catch (error) {
      const made = document.getElementById("made")?.textContent ?? "";
      stale.textContent = `This page is as of ${made} and grows old: ${error.message}. It goes on trying.`;
      stale.hidden = false;
    }
  };
  const live = document.querySelector("main[data-live]");
  if (live) {
    const pause = Number(live.dataset.live) * 1000;
    const again = async () => {
      if (!document.hidden) await look(live);
      setTimeout(again, pause);
    };
    setTimeout(again, pause);
    document.addEventListener("visibilitychange", () => document.hidden || look(live));
  }

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
