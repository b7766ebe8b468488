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
  const status = (form) => form.querySelector("[role=status]");
  const say = (form, ...parts) => status(form).replaceChildren(...parts);
  const ALSO = {
    401: "You are logged out, and nothing was asked for. Log in to Airflow in another tab, then press the button again.",
    403: "Airflow does not let you trigger it, and nothing was asked for. Whoever assigns roles in Airflow can change that.",
  };
  const reason = async (answer) => {
    const body = await answer.json().catch(() => ({}));
    const said = typeof body.detail === "string" ? body.detail : "";
    const isOfPolicy = answer.status === 403 && said && said !== "Forbidden";
    if (ALSO[answer.status] && !isOfPolicy) return ALSO[answer.status];
    // Behind what is wrong with a value, Airflow repeats the schema that says so.
    return said.split(/\s+Failed validating/)[0] || `Airflow answers ${answer.status}: ${JSON.stringify(body)}`;
  };
  const runLink = (dag, run, text) => {
    const link = document.createElement("a");
    link.href = `${document.body.dataset.airflow}dags/${encodeURIComponent(dag)}/runs/${encodeURIComponent(run)}`;
    link.dataset.airflowPage = "";
    link.textContent = text;
    return link;
  };
  const SOON = 1500;
  const LATER = 15_000;
  const PATIENCE = 10_000;
  const UNSEEN = {
    401: "you are logged out; log in to Airflow in another tab",
    403: "you may not see its run",
    404: "its run is not there",
  };
  const reach = (path, patience, more = {}) =>
    fetch(api(path), { credentials: "same-origin", signal: AbortSignal.timeout(patience), ...more }).catch((error) => {
      throw new Error(error.name === "TimeoutError" ? "Airflow does not answer" : "There is no connection to Airflow");
    });
  const look = async (path) => {
    const answer = await reach(path, PATIENCE);
    if (!answer.ok) throw new Error(UNSEEN[answer.status] ?? `Airflow answers ${answer.status}`);
    return answer.json();
  };
  const clock = (moment) => {
    const time = new Date(moment);
    try {
      return time.toLocaleTimeString("en-GB", { timeZone: document.getElementById("zone").defaultValue });
    } catch {
      return time.toLocaleTimeString("en-GB"); // this browser does not know the zone
    }
  };
  // Notes are written as Markdown. A run that takes a change back ends red even when all went as asked; its note says so.
  const told = (form, { state, note, end_date: end }) => {
    const text = (note ?? "").replace(/\\([^\w\s])|\\_/g, (_, sign) => sign ?? "_");
    const isAsked = form.elements.mode?.value === "rollback" && /^rolled.back\b/.test(text);
    const said = isAsked ? text.replace(/^rolled.back/, "rolled back, as asked") : text ? `${state}: ${text}` : state;
    return `${said}${end ? ` (${clock(end)})` : ""}`;
  };
  // A run of a paused DAG is only queued, and one that asks people only running: Airflow says neither of its run.
  const waiting = async (dag, run, state) => {
    if (state === "queued") {
      const { is_paused: isPaused } = await look(`dags/${encodeURIComponent(dag)}`).catch(() => ({}));
      return isPaused ? `: ${dag} is paused in Airflow, and begins once somebody unpauses it there` : "";
    }
    const questions = `dags/${encodeURIComponent(dag)}/dagRuns/${encodeURIComponent(run)}/hitlDetails?response_received=false`;
    const { hitl_details: asked = [] } = await look(questions).catch(() => ({}));
    if (!asked.length) return "";
    const people = asked.flatMap((question) => question.assigned_users.map((user) => user.name));
    return `: it waits for ${people.join(" or ") || "somebody"} to answer under Required Actions in Airflow`;
  };
  // Says what becomes of a run until it has ended, however long Airflow does not answer; returns how it ended.
  const follow = async (form, dag, run) => {
    for (let pause = SOON, looks = 0; form.isConnected; looks += 1) {
      try {
        const now = await look(`dags/${encodeURIComponent(dag)}/dagRuns/${encodeURIComponent(run)}`);
        const isOpen = ["queued", "running"].includes(now.state);
        const why = isOpen && looks > 1 ? await waiting(dag, run, now.state) : "";
        say(form, `${told(form, now)}${why}. `, runLink(dag, run, "See its run"));
        form.dispatchEvent(new CustomEvent("runchange", { detail: now }));
        if (!isOpen) {
          document.dispatchEvent(new Event("pageold"));
          return now.state;
        }
        pause = SOON;
      } catch (error) {
        say(form, `It was asked for, but what became of it is not known: ${error.message}. This page keeps trying. `, runLink(dag, run, "See its run"));
        pause = Math.min(pause * 2, LATER);
      }
      await new Promise((done) => setTimeout(done, pause));
    }
    return "unknown";
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
  // A request has a name of its own, so that one to which no answer came can be repeated and still happens once.
  const underWay = new WeakSet();
  const unanswered = new WeakMap();
  const named = () => {
    const [chance] = crypto.getRandomValues(new Uint32Array(1));
    return `manual__${new Date().toISOString()}_${chance.toString(36)}`;
  };
  const ask = (form, dag, run) =>
    reach(`dags/${encodeURIComponent(dag)}/dagRuns`, 2 * PATIENCE, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ dag_run_id: run, logical_date: null, conf: conf(form) }),
    });
  // Returns whether the same may be asked for again at once: not after it has succeeded.
  const outcome = async (form, dag) => {
    const before = unanswered.get(form);
    const run = before ?? named();
    unanswered.set(form, run);
    const answer = await ask(form, dag, run);
    if (answer.status >= 500) throw new Error(`Airflow answers ${answer.status}`);
    unanswered.delete(form);
    if (answer.ok) return (await follow(form, dag, (await answer.json()).dag_run_id)) === "failed";
    if (before && answer.status === 409) return (await follow(form, dag, run)) === "failed";
    say(form, await reason(answer));
    return true;
  };
  const trigger = async (form) => {
    if (underWay.has(form)) return;
    underWay.add(form);
    const dag = form.dataset.trigger;
    const button = form.querySelector("button:not([type=button])");
    button.disabled = true;
    say(form, "Asking Airflow ...");
    status(form).scrollIntoView({ block: "nearest" });
    try {
      button.disabled = !(await outcome(form, dag));
    } catch (error) {
      say(form, `${error.message}, so it is not known whether it was asked for. Press the button again: it happens once.`);
      button.disabled = false;
    } finally {
      underWay.delete(form);
    }
  };
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-trigger]")) return;
    event.preventDefault();
    trigger(event.target);
  });
  // What has succeeded is asked for again once it is another request, or its form was closed in between.
  const renew = (form) => {
    if (!form || underWay.has(form)) return;
    unanswered.delete(form);
    form.querySelector("button:not([type=button])").disabled = false;
  };
  document.addEventListener("input", (event) => renew(event.target.closest("form[data-trigger]")));
  document.addEventListener(
    "toggle",
    (event) => {
      const form = event.target.open === false && event.target.querySelector("form[data-trigger]");
      if (!form || underWay.has(form)) return;
      renew(form);
      say(form);
    },
    true,
  );

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
