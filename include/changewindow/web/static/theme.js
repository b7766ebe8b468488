// Follows Airflow's switch between light and dark, before anything is drawn and whenever it is used.
"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => {
    let chosen = null;
    try {
      chosen = localStorage.getItem("theme");
    } catch {
      // Storage may be refused to frames; then the system decides.
    }
    const isDark = chosen === "dark" || (chosen !== "light" && dark.matches);
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
    document.dispatchEvent(new Event("themechange"));
  };
  addEventListener("storage", follow);
  dark.addEventListener("change", follow);
  follow();
})();
