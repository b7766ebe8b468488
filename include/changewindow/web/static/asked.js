// Says which change has come of a request.
"use strict";
(() => {
  const asking = document.getElementById("asking");
  const outcome = document.getElementById("asked-for");
  asking?.addEventListener("submit", () => (outcome.hidden = true));
  asking?.addEventListener("runchange", (event) => {
    const run = event.detail;
    const change = /\bCHG-[1-9][0-9]*\b/.exec(run.note ?? "")?.[0];
    if (!change || run.state === "failed") return;
    const link = document.createElement("a");
    link.href = `${asking.dataset.changes}${change}`;
    link.textContent = change;
    outcome.replaceChildren("It is ", link, ". Its approval is asked for under Required Actions, unless the policy gives it.");
    outcome.hidden = false;
    asking.dispatchEvent(new CustomEvent("askedfor", { detail: change }));
  });
})();
