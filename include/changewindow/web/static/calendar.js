// Draws the calendar from the JSON of the page's days, and again whenever the page is renewed; the tables below say the same.
"use strict";
(() => {
  const box = document.getElementById("calendar");
  const VIEWS = { month: "dayGridMonth", week: "timeGridWeek", day: "timeGridDay", targets: "resourceTimelineWeek" };
  const isMonth = box.dataset.view === "month";
  const SHORTEST = box.dataset.view === "targets" ? 3 * 3_600_000 : 0;

  // How much of the box of a short change is the change itself.
  const bar = (share) => {
    const node = document.createElement("span");
    node.className = "bar";
    node.style.inlineSize = `${share * 100}%`;
    return node;
  };
  // A week by target leaves a short change no room for its name: its box is longer, and a bar in it shows the time.
  const roomy = (event) => {
    const [start, end] = [event.start, event.end].map((time) => Date.parse(`${time}Z`));
    if (end - start >= SHORTEST) return event;
    const share = (end - start) / SHORTEST;
    const later = new Date(start + SHORTEST).toISOString().slice(0, 19);
    return { ...event, end: later, extendedProps: { ...event.extendedProps, share } };
  };
  // What stands in an event: a link where it leads somewhere; text is only ever text.
  const content = ({ event }) => {
    const { url, text } = event.extendedProps;
    const node = document.createElement(url ? "a" : "span");
    if (url) node.href = url;
    node.textContent = event.title;
    node.title = text;
    return { domNodes: event.extendedProps.share ? [node, bar(event.extendedProps.share)] : [node] };
  };
  // Windows, freezes and openings lie behind the changes; a month draws what is behind for whole days only.
  const placed = (event) =>
    isMonth || event.classNames.includes("change") ? roomy(event) : { ...event, display: "background" };
  const isDrawn = (event) => !(isMonth && event.classNames.includes("opening"));

  const fetched = async () => {
    const answer = await fetch(box.dataset.events, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(`the server answers ${answer.status} for what the calendar draws`);
    return answer.json();
  };
  // The library calls its grid a table, but no rows of it; for those who do not see it, the tables below are the tables.
  const withoutRoles = () => {
    for (const name of ["role", "aria-colindex", "aria-rowindex"]) {
      for (const each of box.querySelectorAll(`[${name}]`)) each.removeAttribute(name);
    }
  };
  new MutationObserver(withoutRoles).observe(box, { childList: true, subtree: true });

  let calendar;
  const draw = ({ events, resources }) => {
    const shown = events.filter(isDrawn).map(placed);
    if (calendar) {
      calendar.setOption("resources", resources);
      calendar.setOption("events", shown);
      return;
    }
    calendar = EventCalendar.create(box, {
      view: VIEWS[box.dataset.view],
      date: box.dataset.date,
      timeZone: box.dataset.offset,
      headerToolbar: { start: "", center: "", end: "" },
      locale: "en-GB",
      firstDay: 1,
      height: "auto",
      allDaySlot: false,
      nowIndicator: true,
      slotEventOverlap: false,
      slotDuration: box.dataset.view === "targets" ? "02:00" : "01:00",
      slotHeight: 36,
      slotWidth: 56,
      editable: false,
      eventContent: content,
      events: shown,
      resources,
    });
  };
  let last = "";
  const renew = async () => {
    const found = await fetched();
    const text = JSON.stringify(found);
    if (text === last || box.contains(document.activeElement)) return;
    draw(found);
    last = text;
  };
  document.addEventListener("pagechange", (event) => event.detail.waitFor(renew()));
  // The page is asked for again at once, and says why it is old.
  renew().catch(() => document.dispatchEvent(new Event("pageold")));
})();
