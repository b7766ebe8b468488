// Draws the readings of each condition from its table: gaps stay gaps, arrow keys move from reading to reading.
"use strict";
(() => {
  const HEIGHT = 220;
  const drawn = new Map();

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const read = (section) =>
    [...section.querySelectorAll("tr[data-t]")].map((row) => ({
      at: Number(row.dataset.t),
      value: row.dataset.v === "" ? null : Number(row.dataset.v),
      answer: row.dataset.a,
      cells: [...row.cells].map((cell) => cell.textContent),
    }));
  const sentence = ({ cells: [when, value, answer, limit] }) => `${when}: ${value}, ${limit}: ${answer}`;

  // What is bad, undecided or unknown has a shape of its own; an error lies at the foot, where no value is.
  const SHAPES = {
    fail: (path, x, y) => path.rect(x - 5, y - 5, 10, 10),
    inconclusive: (path, x, y) => {
      path.moveTo(x, y - 6);
      path.lineTo(x + 6, y + 5);
      path.lineTo(x - 6, y + 5);
      path.closePath();
    },
    error: (path, x, y) => {
      path.moveTo(x - 5, y - 5);
      path.lineTo(x + 5, y + 5);
      path.moveTo(x + 5, y - 5);
      path.lineTo(x - 5, y + 5);
    },
  };
  const PAINT = { fail: "--bad", inconclusive: "--warn", error: "--warn" };
  const drawAnswers = (plot, points) => {
    const { ctx, bbox } = plot;
    points.forEach((point) => {
      const shape = SHAPES[point.answer];
      if (!shape) return;
      const foot = bbox.top + bbox.height - 9;
      const y = point.value === null ? foot : plot.valToPos(point.value, "y", true);
      const path = new Path2D();
      shape(path, plot.valToPos(point.at, "x", true), y);
      ctx.strokeStyle = ctx.fillStyle = color(PAINT[point.answer]);
      ctx.lineWidth = 2;
      if (point.answer !== "error") ctx.fill(path);
      ctx.stroke(path);
    });
  };
  const drawLines = (plot, lines, marks) => {
    const { ctx, bbox } = plot;
    ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.textAlign = "left";
    ctx.textBaseline = "alphabetic";
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([6, 4]);
    lines.forEach(([word, value]) => {
      const y = plot.valToPos(value, "y", true);
      const paint = color(word.startsWith("bad") ? "--bad" : word.startsWith("good") ? "--good" : "--faint");
      ctx.strokeStyle = ctx.fillStyle = paint;
      ctx.strokeRect(bbox.left, y, bbox.width, 0);
      ctx.fillText(word, bbox.left + 4, y - 4);
    });
    ctx.setLineDash([2, 3]);
    ctx.strokeStyle = ctx.fillStyle = color("--faint");
    let last = -Infinity;
    marks.forEach(({ at, text }) => {
      const x = plot.valToPos(at, "x", true);
      if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) return;
      ctx.strokeRect(x, bbox.top, 0, bbox.height);
      if (x - last < 14 * devicePixelRatio) return;
      last = x;
      ctx.save();
      ctx.translate(x - 3, bbox.top + bbox.height - 4);
      ctx.rotate(-Math.PI / 2);
      ctx.fillText(text, 0, 0);
      ctx.restore();
    });
    ctx.setLineDash([]);
  };
  const painted = (lines, marks, points) => ({
    hooks: {
      draw: [
        (plot) => {
          plot.ctx.save();
          drawLines(plot, lines, marks);
          drawAnswers(plot, points);
          plot.ctx.restore();
        },
      ],
    },
  });

  const bounds = (points, lines) => {
    const numbers = [...points.map((point) => point.value), ...lines.map(([, value]) => value)];
    const known = numbers.filter((value) => value !== null);
    const [least, most] = [Math.min(...known), Math.max(...known)];
    const room = (most - least || Math.abs(most) || 1) * 0.12;
    return [least - room, most + room];
  };
  const stretch = (points, marks) => {
    const first = points[0].at;
    const last = points[points.length - 1].at;
    const near = marks.map((mark) => mark.at).filter((at) => at > first - 120 && at < last + 120);
    const [least, most] = [Math.min(first, ...near), Math.max(last, ...near)];
    const room = Math.max((most - least) * 0.02, 1);
    return [least - room, most + room];
  };
  const axis = (more) => ({
    stroke: () => color("--faint"),
    grid: { stroke: () => color("--line"), width: 1 },
    ticks: { stroke: () => color("--line"), width: 1 },
    ...more,
  });
  const options = (section, width, points, lines, marks, moved) => ({
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), section.dataset.zone),
    scales: { x: { range: stretch(points, marks) }, y: { range: bounds(points, lines) } },
    axes: [
      axis({ values: "{HH}:{mm}:{ss}", space: 80 }),
      axis({ size: 70, values: (_, ticks) => ticks.map((tick) => `${tick} ${section.dataset.unit}`.trim()) }),
    ],
    series: [
      {},
      {
        stroke: () => color("--act"),
        width: 2,
        spanGaps: false,
        points: { show: points.length < 150, size: 5, fill: () => color("--act") },
      },
    ],
    hooks: { setCursor: [moved] },
    plugins: [painted(lines, marks, points)],
  });

  // The cursor of the keyboard: the chosen reading is said, politely.
  const moves = (points) => ({
    ArrowRight: (place) => Math.min(place + 1, points.length - 1),
    ArrowLeft: (place) => Math.max(place - 1, 0),
    Home: () => 0,
    End: () => points.length - 1,
    PageUp: (place) => Math.max(place - 10, 0),
    PageDown: (place) => Math.min(place + 10, points.length - 1),
  });
  const frame = (section) => {
    const holder = document.createElement("div");
    holder.className = "plot";
    holder.dataset.made = "";
    holder.tabIndex = 0;
    holder.setAttribute("role", "application");
    holder.setAttribute("aria-roledescription", "drawing");
    const hint = "Arrow keys move from reading to reading; the table below has all of them.";
    holder.setAttribute("aria-label", `${section.dataset.title}. ${hint}`);
    const said = document.createElement("p");
    said.className = "readout";
    said.dataset.made = "";
    said.setAttribute("role", "status");
    section.querySelector("details").before(holder, said);
    return { holder, said };
  };
  const draw = (section, marks) => {
    const points = read(section);
    const lines = JSON.parse(section.dataset.limits);
    const known = JSON.stringify([points, lines, marks]);
    const before = drawn.get(section.id);
    if (before?.known === known) return;
    const focusedAt = before?.forget();
    if (!points.some((point) => point.value !== null)) return;
    const { holder, said } = frame(section);
    let place = points.length - 1;
    const moved = (plot) => {
      if (plot.cursor.idx === null || plot.cursor.idx === undefined) return;
      place = plot.cursor.idx;
      said.textContent = sentence(points[place]);
    };
    const columns = [points.map((point) => point.at), points.map((point) => point.value)];
    const plot = new uPlot(options(section, holder.clientWidth, points, lines, marks, moved), columns, holder);
    const go = (to) => {
      place = to;
      plot.setCursor({ left: plot.valToPos(points[to].at, "x"), top: HEIGHT / 3 }, false);
      said.textContent = sentence(points[to]);
    };
    holder.addEventListener("keydown", (event) => {
      const move = moves(points)[event.key];
      if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      go(move(place));
    });
    holder.addEventListener("focus", () => go(place));
    const watching = new ResizeObserver(() => plot.setSize({ width: holder.clientWidth, height: HEIGHT }));
    watching.observe(holder);
    // Takes the drawing away; returns at which reading its cursor was if it had the focus.
    const forget = () => {
      const at = document.activeElement === holder ? points[place].at : null;
      watching.disconnect();
      plot.destroy();
      holder.remove();
      said.remove();
      drawn.delete(section.id);
      return at;
    };
    drawn.set(section.id, { plot, known, forget });
    if (focusedAt === null || focusedAt === undefined) return;
    place = Math.max(points.findIndex((point) => point.at >= focusedAt), 0);
    requestAnimationFrame(() => holder.focus({ preventScroll: true })); // once it is laid out
  };

  const drawAll = () => {
    const marks = [...document.querySelectorAll("#marks li")].map((mark) => ({
      at: Number(mark.dataset.t),
      text: mark.querySelector("span").textContent,
    }));
    document.querySelectorAll("section.measured").forEach((section) => draw(section, marks));
  };
  document.addEventListener("pagechange", drawAll);
  document.addEventListener("themechange", () => drawn.forEach(({ plot }) => plot.redraw(false)));
  drawAll();
})();
