// The page on which people ask for a change: judges while they write, keeps what they wrote, says what became of it.
"use strict";
(() => {
  const page = document.getElementById("ask");
  if (!page) return;
  const area = document.getElementById("ticket");
  const by = (id) => document.getElementById(id);
  const made = (tag, text, named = "") => {
    const element = document.createElement(tag);
    element.textContent = text;
    if (named) element.className = named;
    return element;
  };
  const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

  // What was written stays in this browser, for this person and address, until it has been asked for.
  const prefix = `change_windows_ask:${page.dataset.person}:`;
  const query = new URLSearchParams(location.search);
  const key = `${prefix}${query}`;
  const MONTH = 30 * 24 * 3600 * 1000;
  const started = area.value;
  const drafts = {
    read(name) {
      try {
        return JSON.parse(localStorage.getItem(name));
      } catch {
        return null; // storage may be refused to frames
      }
    },
    write(text) {
      try {
        if (text === started) localStorage.removeItem(key);
        else localStorage.setItem(key, JSON.stringify({ text, at: Date.now() }));
      } catch {
        by("draft").textContent = "This browser keeps no drafts: copy the text before you leave.";
        by("draft").hidden = false;
      }
    },
    mark(isAsked) {
      const kept = this.read(key);
      if (!kept || Boolean(kept.isAsked) === isAsked) return;
      try {
        localStorage.setItem(key, JSON.stringify({ ...kept, isAsked }));
      } catch {
        // it stays as it was
      }
    },
    drop() {
      try {
        localStorage.removeItem(key);
      } catch {
        // nothing was kept
      }
    },
    tidy() {
      try {
        for (const name of Object.keys(localStorage).filter((each) => each.startsWith(prefix))) {
          if (Date.now() - (this.read(name)?.at ?? 0) > MONTH) localStorage.removeItem(name);
        }
      } catch {
        // nothing was kept
      }
    },
  };

  // What is judged, and which text that was.
  const judged = { text: null, errors: 0 };
  let isAsking = false;
  let isChanged = false;
  let pause = null;
  const soon = () => {
    clearTimeout(pause);
    pause = setTimeout(judge, 500);
  };
  const changed = () => {
    drafts.write(editor.text());
    by("asking")?.dispatchEvent(new Event("input", { bubbles: true }));
    soon();
  };
  const editor = window.ticketEditor(area, {
    nonce: page.dataset.nonce,
    person: page.dataset.person,
    schema: page.dataset.schema,
    names: JSON.parse(page.dataset.names),
    changed,
  });

  const summary = (text) => {
    const line = by("summary");
    if (line.textContent !== text) line.textContent = text;
  };
  const showFindings = (answer) => {
    const errors = answer.findings.filter((finding) => finding.severity === "error").length;
    const warnings = answer.findings.length - errors;
    summary([count(errors, "finding"), ...(warnings ? [count(warnings, "warning")] : [])].join(", "));
    const list = made("ol", "", "findings");
    for (const finding of answer.findings) {
      const item = made("li", "", finding.severity);
      const link = made("a", `Line ${finding.line}`);
      link.href = "#ticket-editor";
      link.dataset.line = finding.line;
      link.dataset.column = finding.column;
      item.append(link, " ", made("strong", finding.severity), " ");
      if (finding.place) item.append(made("code", finding.place), ": ");
      item.append(`${finding.sentence}. ${finding.remedy} `, made("span", `[${finding.who}]`, "faint"));
      list.append(item);
    }
    by("findings").replaceChildren(by("summary"), ...answer.remarks.map((text) => made("p", text, "remark")), list);
    return errors;
  };
  const showPlan = (plan) => {
    if (!plan) {
      by("plan").replaceChildren(made("p", "The plan appears once there are no errors.", "faint"));
      return;
    }
    const head = made("ul", "", "head");
    head.append(...plan.head.map((line) => made("li", line)));
    const nodes = made("dl", "", "facts nodes");
    for (const node of plan.nodes) nodes.append(made("dt", node.id), made("dd", node.text));
    by("plan").replaceChildren(head, nodes);
  };
  const showOpenings = (answer) => {
    if (!answer.scope) {
      by("openings").replaceChildren(made("p", "Name services and an environment to see when they may be changed.", "faint"));
      return;
    }
    const list = made("ol", "", "openings");
    for (const opening of answer.openings) {
      const item = made("li", "");
      item.append(...opening.before.map((line) => made("p", `closed: ${line}`, "faint")));
      const time = made("p", "");
      time.append(made("strong", opening.time), opening.length ? `, ${opening.length} ` : " ");
      if (opening.window) {
        const use = made("button", "Use it");
        use.type = "button";
        use.setAttribute("aria-label", `Use it: ${opening.window.start} to ${opening.window.end} ${opening.window.zone}`);
        use.addEventListener("click", () => {
          editor.replace(withWindow(editor.text(), opening.window));
          use.textContent = "Used";
        });
        time.append(use);
      }
      item.append(time, ...opening.despite.map((line) => made("p", `despite: ${line}`, "faint")));
      list.append(item);
    }
    const closed = answer.closed.map((line) => made("p", `closed: ${line}`));
    by("openings").replaceChildren(made("p", `For ${answer.scope}:`), list, ...closed);
  };
  // The same text with another window; its comments stay.
  const withWindow = (text, window_) => {
    const lines = text.split("\n");
    const at = lines.findIndex((line) => /^window\s*:/.test(line));
    const block = ["window:", ...["start", "end", "zone"].map((name) => `  ${name}: ${window_[name]}`)];
    if (at < 0) return `${text.trimEnd()}\n\n${block.join("\n")}\n`;
    let end = at + 1;
    while (end < lines.length && (/^\s/.test(lines[end]) || lines[end] === "")) end += 1;
    while (end > at + 1 && lines[end - 1].trim() === "") end -= 1;
    const comments = lines.slice(at + 1, end).filter((line) => line.trim().startsWith("#"));
    return [...lines.slice(0, at), ...block, ...comments, ...lines.slice(end)].join("\n");
  };

  const why = async (answer) => {
    if (answer.status === 401) return "You are logged out. Log in again in another tab; what you wrote is kept here.";
    const body = await answer.json().catch(() => ({}));
    return body.detail ?? `Change Windows answers ${answer.status}. The log of Airflow's API server says why.`;
  };
  const judge = async () => {
    const text = editor.text();
    if (isAsking) {
      isChanged = true;
      return;
    }
    isAsking = true;
    try {
      const answer = await fetch(page.dataset.judge, {
        method: "POST",
        credentials: "same-origin",
        headers: { "Content-Type": "application/yaml" },
        body: text,
      });
      if (!answer.ok) throw new Error(await why(answer));
      const facts = await answer.json();
      judged.errors = showFindings(facts);
      judged.text = text;
      if (editor.text() === text) editor.show(facts.findings);
      showOpenings(facts);
      showPlan(facts.plan);
    } catch (error) {
      judged.text = null;
      summary(`It could not be checked. ${error.message}`);
    } finally {
      isAsking = false;
      if (isChanged) soon();
      isChanged = false;
    }
  };

  by("checking").addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(pause);
    summary("Checking ...");
    judge();
  });
  by("findings").addEventListener("click", (event) => {
    const link = event.target.closest("a[data-line]");
    if (!link) return;
    event.preventDefault();
    editor.goTo(Number(link.dataset.line), Number(link.dataset.column));
  });

  // Ask for it: the text as it stands; what became of it is said, and a refused request keeps the text.
  const asking = by("asking");
  asking?.addEventListener("submit", (event) => {
    const text = editor.text();
    asking.elements.ticket.value = text;
    if (judged.text === text && judged.errors) {
      event.preventDefault();
      event.stopImmediatePropagation();
      asking.querySelector("[role=status]").textContent = `It would be refused for ${count(judged.errors, "finding")}. Correct them first.`;
    }
  });
  asking?.addEventListener("runchange", (event) => drafts.mark(event.detail.state !== "failed"));
  asking?.addEventListener("askedfor", () => drafts.drop());

  // A draft of before is opened again, and said to be one.
  drafts.tidy();
  const draft = drafts.read(key);
  const other = query.size && drafts.read(prefix);
  const say = (...parts) => {
    by("draft").replaceChildren(...parts);
    by("draft").hidden = false;
  };
  if (draft?.text && draft.text !== started && page.dataset.isChecked === undefined) {
    editor.replace(draft.text);
    const anew = made("button", "Start anew");
    anew.type = "button";
    anew.addEventListener("click", () => {
      editor.replace(started);
      by("draft").hidden = true;
    });
    const when = new Date(draft.at).toLocaleString();
    const asked = `You asked for this ticket, a draft from ${when}. See on the page Now what became of it before you ask again. `;
    say(draft.isAsked ? asked : `This is your draft from ${when}; you have not asked for it yet. `, anew);
  } else if (other?.text) {
    const open = made("a", "Open it");
    open.href = location.pathname;
    say("You have a draft of another ticket in this browser. ", open);
  }
  if (page.dataset.isChecked === undefined) judge();
})();
