// Finds kinds while one types, and opens the one that an address leads to.
"use strict";
(() => {
  const field = document.getElementById("find-kind");
  const status = document.getElementById("kinds-found");
  const kinds = [...document.querySelectorAll("details.kind")];
  const rooms = [...document.querySelectorAll("section.room")];
  const words = new Map(kinds.map((kind) => [kind, kind.dataset.words.toLowerCase()]));

  const find = () => {
    const wanted = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const kind of kinds) kind.hidden = !wanted.every((word) => words.get(kind).includes(word));
    for (const room of rooms) room.hidden = !room.querySelector("details.kind:not([hidden])");
    const count = kinds.filter((kind) => !kind.hidden).length;
    status.textContent = wanted.length ? `${count} of ${kinds.length} kinds` : "";
  };
  const open = () => {
    const kind = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!kind?.matches("details.kind")) return;
    if (kind.hidden) {
      field.value = "";
      find();
    }
    kind.open = true;
    kind.scrollIntoView();
  };

  field.closest("[hidden]").hidden = false;
  field.form.addEventListener("submit", (event) => event.preventDefault());
  field.addEventListener("input", find);
  addEventListener("hashchange", open);
  find();
  open();
})();
