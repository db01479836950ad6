// Line charts over environment steps. Python sends rows of numbers (float64, one row per update); this file
// keeps them, draws SVG, and reads values out under the pointer or the arrow keys. No libraries.

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { left: 46, right: 12, top: 8, bottom: 20 };

// One store per widget model, shared by all its views.
export default () => {
  const store = { rows: [], epoch: 0, views: new Set() };
  return {
    initialize({ model }) {
      store.epoch = model.get("epoch");
      store.rows = unpack(model.get("points"), model.get("names").length);
      model.on("msg:custom", (message, buffers) => receive(model, store, message, buffers));
    },
    render({ model, el }) {
      return new CurvesView(model, el, store).start();
    },
  };
};

function unpack(view, width) {
  if (!view || !view.byteLength) return [];
  // A copy: the numbers must begin at a multiple of 8 bytes.
  const bytes = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
  const numbers = new Float64Array(bytes);
  const rows = [];
  for (let i = 0; i < numbers.length; i += width) rows.push(numbers.subarray(i, i + width));
  return rows;
}

function receive(model, store, message, buffers) {
  const missed = message.start > store.rows.length || (message.epoch !== store.epoch && message.start > 0);
  if (missed) {
    model.send({ kind: "all" });
    return;
  }
  store.epoch = message.epoch;
  store.rows.length = message.start;
  for (const row of unpack(buffers[0], model.get("names").length)) store.rows.push(row);
  for (const view of store.views) view.changed();
}

class CurvesView {
  constructor(model, el, store) {
    this.model = model;
    this.store = store;
    this.names = model.get("names");
    this.cursor = null; // index of the row that is read out, null for none
    this.visible = true;
    this.scheduled = false;
    this.root = add(add(el, "div", "pb pb-curves"), "div", "pb-grid");
    this.root.style.setProperty("--pb-columns", model.get("columns"));
    this.root.style.setProperty("--pb-narrow", Math.min(model.get("columns"), 2));
    this.charts = model.get("charts").map((spec) => new ChartView(this, spec, model.get("height")));
    this.spoken = add(this.root, "div", "pb-hidden");
    this.spoken.setAttribute("aria-live", "polite");
  }

  start() {
    this.store.views.add(this);
    const resized = new ResizeObserver(() => this.changed());
    for (const chart of this.charts) resized.observe(chart.svg);
    const seen = new IntersectionObserver((entries) => {
      this.visible = entries[entries.length - 1].isIntersecting;
      if (this.visible) this.changed();
    });
    seen.observe(this.root);
    const marked = () => this.changed();
    this.model.on("change:marks", marked);
    this.changed();
    return () => {
      this.model.off("change:marks", marked);
      this.store.views.delete(this);
      resized.disconnect();
      seen.disconnect();
    };
  }

  // Many changes between two frames of the screen are one drawing; out of sight, none.
  changed() {
    if (this.scheduled || !this.visible) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      for (const chart of this.charts) chart.draw();
    });
  }

  read(index, chart, aloud) {
    const rows = this.store.rows;
    this.cursor = index === null || !rows.length ? null : Math.max(0, Math.min(rows.length - 1, index));
    this.changed();
    if (!aloud || this.cursor === null) return;
    const row = rows[this.cursor];
    this.spoken.textContent = `${chart.spec.title} ${chart.values(row)}, ${this.place(row)}`;
  }

  place(row) {
    return `update ${row[1].toFixed(0)}, step ${Math.round(row[0]).toLocaleString("en-US")}`;
  }
}

class ChartView {
  constructor(parent, spec, height) {
    this.parent = parent;
    this.spec = spec;
    this.height = height;
    this.name = [spec.title, spec.unit].filter(Boolean).join(", ");
    this.columns = spec.lines.map((line) => parent.names.indexOf(line.key));

    this.figure = add(parent.root, "figure", "pb-chart");
    this.figure.dataset.chart = spec.title;
    const head = add(this.figure, "figcaption");
    head.title = spec.help;
    add(head, "span", "pb-title").textContent = spec.title;
    this.value = add(head, "span", "pb-value");
    add(head, "span", "pb-unit").textContent = spec.unit;

    this.svg = draw(this.figure, "svg", { height, tabindex: 0, role: "img" });
    this.grid = draw(this.svg, "g", { class: "pb-axes" });
    const clip = `pb-clip-${Math.random().toString(36).slice(2)}`;
    this.window = draw(draw(draw(this.svg, "defs"), "clipPath", { id: clip }), "rect");
    const plot = draw(this.svg, "g", { "clip-path": `url(#${clip})` });
    this.paths = spec.lines.map((line) =>
      draw(plot, "path", { class: `pb-line pb-${line.colour}${line.faint ? " pb-faint" : ""}` }));
    this.marks = draw(this.svg, "g", { class: "pb-marks" });
    this.rule = draw(this.svg, "line", { class: "pb-rule" });
    this.dots = spec.lines.map((line) => draw(this.svg, "circle", { class: `pb-dot pb-${line.colour}`, r: 3.5 }));
    this.empty = draw(this.svg, "text", { class: "pb-empty", "text-anchor": "middle" });
    this.empty.textContent = "no data yet";

    if (spec.lines.length > 1) {
      const legend = add(this.figure, "div", "pb-legend");
      for (const line of spec.lines) {
        const item = add(legend, "span");
        add(item, "i", `pb-${line.colour}${line.faint ? " pb-faint" : ""}`);
        add(item, "span").textContent = line.label || line.key;
      }
    }
    this.listen();
  }

  listen() {
    const parent = this.parent;
    const count = () => parent.store.rows.length;
    this.svg.addEventListener("pointermove", (event) => {
      const x = event.clientX - this.svg.getBoundingClientRect().left;
      if (this.scale) parent.read(this.nearest(x), this, false);
    });
    this.svg.addEventListener("pointerleave", () => parent.read(null, this, false));
    this.svg.addEventListener("blur", () => parent.read(null, this, false));
    this.svg.addEventListener("keydown", (event) => {
      const at = parent.cursor === null ? count() - 1 : parent.cursor;
      const step = event.shiftKey ? 10 : 1;
      const to = { ArrowLeft: at - step, ArrowRight: at + step, Home: 0, End: count() - 1, Escape: null }[event.key];
      if (to === undefined) return;
      parent.read(to, this, true);
      event.preventDefault();
      event.stopPropagation(); // JupyterLab would move to the next cell
    });
  }

  nearest(pixel) {
    const rows = this.parent.store.rows;
    const x = this.scale.x0 + ((pixel - MARGIN.left) / this.scale.width) * (this.scale.x1 - this.scale.x0);
    let low = 0;
    let high = rows.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle][0] < x) low = middle + 1;
      else high = middle;
    }
    return low > 0 && x - rows[low - 1][0] < rows[low][0] - x ? low - 1 : low;
  }

  values(row) {
    const unit = this.spec.lines.length > 1 ? " / " : "";
    return this.columns.map((column) => format(row[column])).join(unit);
  }

  draw() {
    const rows = this.parent.store.rows;
    const total = this.svg.clientWidth;
    if (!total) return; // hidden for a moment, while a theme is loaded: what is drawn stays right
    const width = total - MARGIN.left - MARGIN.right;
    const height = this.height - MARGIN.top - MARGIN.bottom;
    this.svg.setAttribute("viewBox", `0 0 ${total} ${this.height}`);
    place(this.window, { x: MARGIN.left, y: MARGIN.top - 2, width: Math.max(width, 0), height: height + 4 });

    const [low, high, step, points] = this.extent(rows);
    const x0 = 0;
    const x1 = rows.length ? Math.max(rows[rows.length - 1][0], 1) : 1;
    this.scale = { x0, x1, width };
    const toX = (x) => MARGIN.left + ((x - x0) / (x1 - x0)) * width;
    const toY = (y) => MARGIN.top + height - ((y - low) / (high - low)) * height;

    this.axes(rows.length > 0, toX, toY, low, high, step, x1, width, height);
    this.mark(toX, width, height);
    this.paths.forEach((path, i) => path.setAttribute("d", trace(rows, this.columns[i], toX, toY)));
    this.empty.setAttribute("visibility", points ? "hidden" : "visible");
    place(this.empty, { x: MARGIN.left + width / 2, y: MARGIN.top + height / 2 + 4 });
    this.readout(rows, toX, toY, height);
    this.describe(rows, points);
  }

  // The y axis' range, rounded outwards to whole steps, the step, and how many points there are to see.
  extent(rows) {
    let low = Infinity;
    let high = -Infinity;
    let points = 0;
    for (const row of rows) {
      let seen = false;
      for (const column of this.columns) {
        const value = row[column];
        if (Number.isNaN(value)) continue;
        seen = true;
        if (value < low) low = value;
        if (value > high) high = value;
      }
      if (seen) points += 1;
    }
    if (!points) return [0, 1, 0.5, 0];
    if (this.spec.low !== null) low = Math.max(low, this.spec.low);
    if (this.spec.high !== null) high = Math.min(high, this.spec.high);
    if (high <= low) {
      const half = Math.abs(low) * 0.1 || 0.5;
      low -= half;
      high = low + 2 * half;
    }
    const step = tickStep(high - low, this.height > 180 ? 5 : 3);
    return [Math.floor(low / step) * step, Math.ceil(high / step) * step, step, points];
  }

  axes(filled, toX, toY, low, high, step, x1, width, height) {
    const parts = [];
    const bottom = MARGIN.top + height;
    const line = (xa, ya, xb, yb) => `<line x1="${xa}" y1="${ya}" x2="${xb}" y2="${yb}"/>`;
    const text = (x, y, anchor, words) => `<text x="${x}" y="${y}" text-anchor="${anchor}">${words}</text>`;
    for (let k = Math.round(low / step); k <= Math.round(high / step); k++) {
      const y = toY(k * step);
      parts.push(line(MARGIN.left, y, MARGIN.left + width, y));
      if (filled) parts.push(text(MARGIN.left - 6, y + 4, "end", format(k * step, step)));
    }
    const xStep = tickStep(x1, Math.max(3, Math.floor(width / 70)));
    const name = width > 400 ? "environment steps" : "steps";
    const nameLeft = MARGIN.left + width - name.length * 6.2;
    for (let k = 0; filled && k * xStep <= x1; k++) {
      const x = toX(k * xStep);
      const words = k ? format(k * xStep, xStep) : "0";
      if (x + words.length * 3.5 < nameLeft - 6) parts.push(text(x, bottom + 15, k ? "middle" : "start", words));
    }
    parts.push(text(MARGIN.left + width, bottom + 15, "end", name));
    const markup = parts.join("");
    if (markup !== this.drawnAxes) this.grid.innerHTML = this.drawnAxes = markup; // numbers and fixed words only
  }

  // Vertical lines at what happened (a changed hyperparameter), with words where there is room.
  mark(toX, width, height) {
    this.marks.replaceChildren();
    let free = -Infinity; // where the next words may begin
    for (const { x, text } of this.spec.marked ? this.parent.model.get("marks") : []) {
      const at = toX(x);
      const line = draw(this.marks, "line", { x1: at, x2: at, y1: MARGIN.top, y2: MARGIN.top + height });
      draw(line, "title").textContent = text;
      const left = at + 4 + text.length * 5.6 < MARGIN.left + width ? at + 4 : at - 4 - text.length * 5.6;
      if (left < free || left < MARGIN.left) continue;
      free = left + text.length * 5.6 + 10;
      draw(this.marks, "text", { x: left, y: MARGIN.top + 9 }).textContent = text;
    }
  }

  readout(rows, toX, toY, height) {
    const cursor = this.parent.cursor;
    const row = cursor === null ? null : rows[cursor];
    this.rule.setAttribute("visibility", row ? "visible" : "hidden");
    if (row) {
      place(this.rule, { x1: toX(row[0]), x2: toX(row[0]), y1: MARGIN.top, y2: MARGIN.top + height });
    }
    this.dots.forEach((dot, i) => {
      const value = row ? row[this.columns[i]] : NaN;
      dot.setAttribute("visibility", Number.isNaN(value) ? "hidden" : "visible");
      if (!Number.isNaN(value)) place(dot, { cx: toX(row[0]), cy: toY(value) });
    });
    const now = row || lastWith(rows, this.columns[0]);
    const words = now ? format(now[this.columns[0]]) : "";
    this.value.textContent = row ? this.values(row) : words;
    this.figure.classList.toggle("pb-reading", Boolean(row));
  }

  describe(rows, points) {
    const last = lastWith(rows, this.columns[0]);
    this.figure.dataset.points = points;
    const words = last
      ? `${this.name}: ${points} points, last ${this.values(last)} at ${this.parent.place(last)}. ` +
        "Arrow keys read the values."
      : `${this.name}: no data yet.`;
    if (words !== this.words) this.svg.setAttribute("aria-label", (this.words = words));
  }
}

// An SVG path. With more points than pixels, each pixel column gets its first, lowest, highest and last
// value, so that no spike is lost.
function trace(rows, column, toX, toY) {
  const parts = [];
  let pen = false; // down: the previous value was a number
  let bin = null;
  const to = (x, y) => {
    parts.push(`${pen ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`);
    pen = true;
  };
  const flush = () => {
    if (!bin) return;
    to(bin.x, bin.first);
    if (bin.count > 1) {
      to(bin.x, bin.min);
      to(bin.x, bin.max);
      to(bin.x, bin.last);
    }
    bin = null;
  };
  for (const row of rows) {
    const value = row[column];
    if (Number.isNaN(value)) continue; // an update in which no episode ended: join over it
    const x = Math.round(toX(row[0]));
    const y = toY(value);
    if (bin && bin.x === x) {
      bin.count += 1;
      bin.min = Math.min(bin.min, y);
      bin.max = Math.max(bin.max, y);
      bin.last = y;
    } else {
      flush();
      bin = { x, first: y, min: y, max: y, last: y, count: 1 };
    }
  }
  flush();
  if (parts.length === 1) parts.push("h0.01"); // one point: a dot (round line caps)
  return parts.join("");
}

function lastWith(rows, column) {
  for (let i = rows.length - 1; i >= 0; i--) if (!Number.isNaN(rows[i][column])) return rows[i];
  return null;
}

// 1, 2 or 5 times a power of ten.
function tickStep(range, count) {
  const rough = range / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const times = [1, 2, 5, 10].find((n) => n * power >= rough * 0.999);
  return times * power;
}

// 1.2 M, 340 k, 12.3, 0.0021, 3e-5; with a step: only the digits that tell ticks apart.
function format(value, step) {
  if (Number.isNaN(value)) return "–";
  const size = Math.max(Math.abs(value), step || 0);
  for (const [unit, name] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]]) {
    if (size < unit) continue;
    const scale = unit === 1e4 ? 1e3 : unit;
    return value === 0 ? "0" : digits(value / scale, step && step / scale) + " " + name;
  }
  if (size > 0 && size < 1e-3) return value === 0 ? "0" : value.toExponential(step ? 0 : 1).replaceAll("-", "−");
  return digits(value, step);
}

function digits(value, step) {
  const decimals = step
    ? Math.max(0, -Math.floor(Math.log10(step) + 1e-9))
    : Math.max(0, 2 - Math.floor(Math.log10(Math.max(Math.abs(value), 1e-12))));
  const words = value.toFixed(Math.min(decimals, 6));
  return Number(words) === 0 ? "0" : words.replace("-", "−");
}

function draw(parent, tag, attributes = {}) {
  const element = document.createElementNS(SVG, tag);
  place(element, attributes);
  parent.appendChild(element);
  return element;
}

function place(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
}
