// Says which change has come of a request.
"use strict";
(() => {
  const asking = document.getElementById("asking");
  const outcome = document.getElementById("asked-for");
  asking?.addEventListener("submit", () => (outcome.hidden = true));
  asking?.addEventListener("runchange", (event) => {
    const run = event.detail;
    const change = /\bCHG-[1-9][0-9]*\b/.exec(run.note ?? "")?.[0];
    if (run.state === "failed") return;
    const link = document.createElement("a");
    link.href = change ? `${asking.dataset.changes}${change}` : asking.dataset.now;
    link.textContent = change ?? "Now";
    const waits = ["Its approvers are asked in Airflow. You may leave this page; ", link, " shows what it is waiting for."];
    // While nothing changes nothing is said again.
    if (outcome.hidden || outcome.querySelector("a").href !== link.href)
      outcome.replaceChildren(...(change ? ["It is ", link, "."] : waits));
    outcome.hidden = false;
    if (change) asking.dispatchEvent(new CustomEvent("askedfor", { detail: change }));
  });
})();
