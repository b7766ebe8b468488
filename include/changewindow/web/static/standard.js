// Keeps what is filled in when an opening is used, and asks only for what was checked.
"use strict";
(() => {
  const form = document.querySelector("form.standard");
  const asking = document.getElementById("asking");
  const isAsChecked = (field) =>
    field.options ? [...field.options].every((option) => option.selected === option.defaultSelected) : field.value === field.defaultValue;
  const compare = () => {
    const isChecked = [...form.querySelectorAll("input, select")].every(isAsChecked);
    if (asking) asking.hidden = !isChecked;
    if (asking) document.getElementById("unchecked").hidden = isChecked;
  };
  form.addEventListener("input", compare);
  // Browsers fill in again what was chosen on a page to which somebody returns.
  window.addEventListener("pageshow", compare);
  document.querySelector(".openings")?.addEventListener("click", (event) => {
    const link = event.target.closest("a.button");
    if (!link) return;
    event.preventDefault();
    const opening = new URL(link.href).searchParams;
    for (const name of ["start", "end", "window_zone"]) form.elements[name].value = opening.get(name).replace(" ", "T");
    form.requestSubmit();
  });
})();
