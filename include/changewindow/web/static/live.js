// A live page asks again every few seconds, and takes over what has changed; nothing else is touched.
"use strict";
(() => {
  const live = document.querySelector("main[data-live]");
  if (!live) return;
  const PATIENCE = 10_000;

  // What somebody types, has sent or still reads is theirs until they close it.
  const isTyped = (field) =>
    field.type === "checkbox" || field.type === "radio" ? field.checked !== field.defaultChecked
    : field.type === "hidden" ? false
    : "defaultValue" in field && field.value !== field.defaultValue;
  const isInUse = (form) =>
    !form.closest("details:not([open])") &&
    (form.contains(document.activeElement) ||
      form.querySelector("[role=status]")?.textContent.trim() ||
      [...form.elements].some(isTyped));
  const holdsWork = (node) =>
    node.nodeType === Node.ELEMENT_NODE &&
    [...node.querySelectorAll("form"), ...(node.matches("form") ? [node] : [])].some(isInUse);

  const isSame = (old, fresh) =>
    old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && (old.id ?? "") === (fresh.id ?? "");
  const takeAttributes = (old, fresh) => {
    for (const { name } of [...old.attributes])
      if (!fresh.hasAttribute(name) && !(name === "open" && old.matches("details"))) old.removeAttribute(name);
    for (const { name, value } of fresh.attributes)
      if (old.getAttribute(name) !== value && !(name === "open" && old.matches("details"))) old.setAttribute(name, value);
  };
  // What has gone stays, marked, while somebody works in it; what a script has made or draws in is that script's.
  const leave = (node) => {
    if (node.dataset?.made !== undefined) return;
    if (!holdsWork(node)) {
      node.remove();
      return;
    }
    if (node.classList.contains("gone")) return;
    node.classList.add("gone");
    const note = document.createElement("p");
    note.className = "faint";
    note.textContent = "This is over. It stays here, as it was, until you close its form.";
    node.prepend(note);
  };
  const patch = (old, fresh) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    // Without scripts, as it is parsed here, a browser reads <noscript> otherwise.
    if (old.matches("noscript") || (old.matches("form[data-trigger]") && holdsWork(old))) return;
    if (old !== live) takeAttributes(old, fresh);
    if (old.dataset.drawn !== undefined) return;
    const wanted = new Set([...fresh.children].map((child) => child.id).filter(Boolean));
    let here = old.firstChild;
    const passOver = (isMeant) => {
      while (here && !isMeant(here)) {
        const next = here.nextSibling;
        leave(here);
        here = next;
      }
    };
    for (const child of [...fresh.childNodes]) {
      const known = child.id ? [...old.children].find((each) => each.id === child.id) : null;
      if (known && isSame(known, child)) {
        passOver((each) => each === known || wanted.has(each.id));
        if (here === known) here = known.nextSibling;
        else old.insertBefore(known, here);
        patch(known, child);
      } else {
        if (here?.classList?.contains("gone")) here = here.nextSibling;
        if (here && !here.id && !child.id && isSame(here, child)) {
          const next = here.nextSibling;
          patch(here, child);
          here = next;
        } else old.insertBefore(document.importNode(child, true), here);
      }
    }
    passOver(() => false);
  };

  const stale = document.getElementById("stale");
  const warn = (text) => {
    if (stale.textContent !== text) stale.textContent = text;
    stale.hidden = !text;
  };
  const take = async (text) => {
    const made = new DOMParser().parseFromString(text, "text/html");
    const fresh = made.getElementById("main");
    if (!fresh) throw new Error("the answer is no page of ours; log in to Airflow again");
    const focused = document.activeElement;
    const had = live.contains(focused);
    patch(live, fresh);
    // What was moved loses the focus, and what has gone cannot have it.
    if (had && document.activeElement !== focused) (focused.isConnected ? focused : live).focus({ preventScroll: true });
    const since = made.getElementById("made");
    if (since) document.getElementById("made")?.replaceWith(document.importNode(since, true));
    const awaited = [];
    document.dispatchEvent(new CustomEvent("pagechange", { detail: { waitFor: (promise) => awaited.push(promise) } }));
    await Promise.all(awaited);
  };
  const reasons = { 401: "you are logged out; log in to Airflow in another tab", 403: "it is not shown to you any more" };
  let asking = null;
  const look = async () => {
    if (asking) return;
    asking = new AbortController();
    const timer = setTimeout(() => asking.abort(), PATIENCE);
    try {
      const answer = await fetch(location.href, { credentials: "same-origin", signal: asking.signal }).catch((error) => {
        throw new Error(error.name === "AbortError" ? "the server does not answer" : "there is no connection to it");
      });
      if (!answer.ok) throw new Error(reasons[answer.status] ?? `the server answers ${answer.status}`);
      await take(await answer.text());
      warn("");
    } catch (error) {
      const why = error.name === "AbortError" ? "the server does not answer" : error.message;
      const made = document.getElementById("made")?.textContent ?? "an unknown time";
      warn(`OLD: this page is as of ${made}: ${why}. It keeps trying.`);
    } finally {
      clearTimeout(timer);
      asking = null;
    }
  };
  const pause = Number(live.dataset.live) * 1000;
  const again = async () => {
    if (!document.hidden) await look();
    setTimeout(again, pause);
  };
  setTimeout(again, pause);
  document.addEventListener("visibilitychange", () => document.hidden || look());
  addEventListener("online", look);
  document.addEventListener("pageold", look);
  addEventListener("pageshow", (event) => event.persisted && look());
})();
