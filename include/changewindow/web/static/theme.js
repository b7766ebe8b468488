// Follows Airflow's switch between light and dark, before anything is drawn and whenever it is used; paper is light.
"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const paper = matchMedia("print");
  const follow = () => {
    let chosen = null;
    try {
      chosen = localStorage.getItem("theme");
    } catch {
      // Storage may be refused to frames; then the system decides.
    }
    const isDark = !paper.matches && (chosen === "dark" || (chosen !== "light" && dark.matches));
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
    document.dispatchEvent(new Event("themechange"));
  };
  addEventListener("storage", follow);
  for (const query of [dark, paper]) query.addEventListener("change", follow);
  follow();
})();
