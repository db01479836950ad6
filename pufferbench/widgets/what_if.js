// Learning curves that follow the sliders, and a heat map of final scores. Python sends finished numbers; this file
// draws SVG. A click, or Enter, on a cell of the heat map asks Python to go there.

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 300;
const EDGE = { left: 52, right: 14, top: 10, bottom: 34 };
// Viridis at 9 places: in order of brightness for every eye, and in grey.
const COLOURS = ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"];

function render({ model, el }) {
  const root = add(el, "div", "pb pb-what-if");
  const curves = new CurvesView(model, add(root, "figure"));
  const heat = new HeatView(model, add(root, "figure"));
  const drawCurves = () => curves.draw();
  const drawHeat = () => heat.draw();
  model.on("change:curve change:before change:range", drawCurves);
  model.on("change:heat change:place", drawHeat);
  const drawAll = () => { drawCurves(); drawHeat(); };
  const resized = new ResizeObserver(() => requestAnimationFrame(drawAll)); // not inside: drawing changes sizes too
  for (const figure of root.children) resized.observe(figure); // one is wider while the other is hidden
  return () => {
    resized.disconnect();
    model.off("change:curve change:before change:range", drawCurves);
    model.off("change:heat change:place", drawHeat);
  };
}

class CurvesView {
  constructor(model, figure) {
    this.model = model;
    const head = add(figure, "figcaption");
    add(head, "span", "pb-title").textContent = "Episode return";
    this.value = add(head, "span", "pb-value");
    head.title = "Mean return of the episodes that ended around there: line, the mean of the seeds; band, the worst to the best";
    this.svg = draw(figure, "svg", { height: HEIGHT, role: "img", tabindex: 0 });
    const legend = add(figure, "div", "pb-legend");
    this.legend = [["pb-now", "now"], ["pb-before", "where the sliders rested before"]].map(([name, words]) => {
      const item = add(legend, "span");
      add(item, "i", name);
      const text = add(item, "span");
      text.textContent = words;
      return text;
    });
  }

  draw() {
    const curve = this.model.get("curve");
    const before = this.model.get("before");
    const [low, high] = this.model.get("range");
    const total = this.svg.clientWidth;
    if (!total) return; // hidden for a moment, while a theme is loaded: what is drawn stays right
    const width = total - EDGE.left - EDGE.right;
    const height = HEIGHT - EDGE.top - EDGE.bottom;
    const end = curve.steps ? curve.steps[curve.steps.length - 1] : 1;
    const toX = (x) => EDGE.left + (x / end) * width;
    const toY = (y) => EDGE.top + height - ((y - low) / (high - low || 1)) * height;
    this.svg.setAttribute("viewBox", `0 0 ${total} ${HEIGHT}`);
    this.svg.replaceChildren();
    const axes = draw(this.svg, "g", { class: "pb-axes" });
    for (const value of ticks(low, high, 5)) {
      draw(axes, "line", { x1: EDGE.left, x2: EDGE.left + width, y1: toY(value), y2: toY(value) });
      label(axes, EDGE.left - 6, toY(value) + 4, "end", short(value));
    }
    for (const value of ticks(0, end, Math.max(2, Math.floor(width / 90)))) {
      label(axes, toX(value), EDGE.top + height + 15, value ? "middle" : "start", short(value));
    }
    label(axes, EDGE.left + width, HEIGHT - 4, "end", "environment steps");
    this.line(before, toX, toY, "pb-before");
    this.line(curve, toX, toY, "pb-now");
    const words = curve.mean
      ? `final score ${short(curve.final)} · ${curve.seeds} of ${curve.total} seeds` +
        (curve.failures ? ` · ${curve.failures} diverged (NaN)` : "")
      : "no answer yet";
    this.value.textContent = words;
    this.svg.setAttribute("aria-label", `Learning curves of ${this.model.get("title")}: ${words}`);
    this.svg.dataset.seeds = curve.seeds || 0;
  }

  line(curve, toX, toY, name) {
    if (!curve.mean) return;
    const known = curve.mean.map((value, i) => i).filter((i) => curve.mean[i] !== null);
    const point = (values) => (i) => `${toX(curve.steps[i]).toFixed(1)} ${toY(values[i]).toFixed(1)}`;
    if (curve.low && known.length) {
      const back = [...known].reverse().map(point(curve.low));
      draw(this.svg, "path", { class: `pb-band ${name}`, d: `M${known.map(point(curve.high)).join("L")}L${back.join("L")}Z` });
    }
    if (known.length) draw(this.svg, "path", { class: `pb-line ${name}`, d: `M${known.map(point(curve.mean)).join("L")}` });
  }
}

class HeatView {
  constructor(model, figure) {
    this.model = model;
    this.figure = figure;
    const head = add(figure, "figcaption");
    add(head, "span", "pb-title").textContent = "Final score";
    this.value = add(head, "span", "pb-value");
    head.title = "Mean return of the last quarter of training. A click on a cell takes the sliders there";
    this.svg = draw(figure, "svg", { height: HEIGHT, role: "application", tabindex: 0 });
    this.spoken = add(figure, "div", "pb-hidden");
    this.spoken.setAttribute("aria-live", "polite");
    this.at = null; // the cell that the keyboard is on
    this.svg.addEventListener("keydown", (event) => this.key(event));
    this.svg.addEventListener("pointerup", (event) => this.released(event));
    this.svg.addEventListener("focus", () => { this.at = this.at || this.model.get("place") || [0, 0]; this.draw(); });
    this.svg.addEventListener("blur", () => { this.at = null; this.draw(); });
  }

  draw() {
    const { model, svg } = this;
    const heat = model.get("heat");
    this.figure.hidden = !heat.scores;
    if (!heat.scores) return;
    const rows = heat.scores.length;
    const columns = heat.scores[0].length;
    const total = svg.clientWidth;
    if (!total) return; // hidden for a moment, while a theme is loaded: what is drawn stays right
    const edge = { left: 64, right: 70, top: 10, bottom: 46 };
    const wide = (total - edge.left - edge.right) / columns;
    const tall = (HEIGHT - edge.top - edge.bottom) / rows;
    const known = heat.scores.flat().filter((score) => score !== null);
    const low = Math.min(...known);
    const high = Math.max(...known);
    svg.setAttribute("viewBox", `0 0 ${total} ${HEIGHT}`);
    svg.replaceChildren();
    heat.scores.forEach((row, i) => row.forEach((score, j) => {
      const cell = draw(svg, "rect", {
        x: edge.left + j * wide + 0.5, y: edge.top + (rows - 1 - i) * tall + 0.5, width: Math.max(wide - 1, 1), height: Math.max(tall - 1, 1),
        class: "pb-cell", fill: score === null ? "none" : colour((score - low) / (high - low || 1)),
      });
      draw(cell, "title").textContent = this.words(i, j);
      cell.dataset.cell = `${i} ${j}`;
    }));
    const axes = draw(svg, "g", { class: "pb-axes" });
    const bottom = HEIGHT - edge.bottom;
    const every = Math.ceil(columns / Math.max(2, Math.floor((total - edge.left - edge.right) / 52)));
    heat.x.values.forEach((value, j) => {
      if (j % every === 0) label(axes, edge.left + (j + 0.5) * wide, bottom + 14, "middle", short(value));
    });
    heat.y.values.forEach((value, i) => label(axes, edge.left - 6, edge.top + (rows - 0.5 - i) * tall + 4, "end", short(value)));
    label(axes, edge.left + (columns * wide) / 2, HEIGHT - 12, "middle", heat.x.label);
    const side = label(axes, 0, 0, "middle", heat.y.label);
    side.setAttribute("transform", `translate(13 ${edge.top + (rows * tall) / 2}) rotate(-90)`);
    if (known.length) this.legend(axes, total - edge.right + 14, edge.top, rows * tall, low, high);
    this.mark(model.get("place"), "pb-place", edge, wide, tall, rows);
    this.mark(this.at, "pb-at", edge, wide, tall, rows);
    const words = `${heat.done} of ${heat.total} trainings`;
    this.value.textContent = words;
    svg.dataset.done = heat.done;
    svg.setAttribute("aria-label",
      `Heat map of final scores over ${heat.x.label} and ${heat.y.label}, ${words}. Arrow keys read cells, Enter goes there.`);
  }

  legend(axes, x, y, height, low, high) {
    const steps = 24;
    for (let k = 0; k < steps; k++) {
      draw(axes, "rect", { x, y: y + height - ((k + 1) * height) / steps, width: 12, height: height / steps + 0.5, fill: colour(k / (steps - 1)) });
    }
    label(axes, x + 16, y + 10, "start", short(high));
    label(axes, x + 16, y + height, "start", short(low));
  }

  mark(place, name, edge, wide, tall, rows) {
    if (!place || place.length !== 2) return;
    const [i, j] = place;
    draw(this.svg, "rect", {
      class: name, x: edge.left + j * wide + 1, y: edge.top + (rows - 1 - i) * tall + 1, width: Math.max(wide - 2, 1), height: Math.max(tall - 2, 1),
    });
  }

  words(i, j) {
    const heat = this.model.get("heat");
    const score = heat.scores[i][j];
    const place = `${heat.x.label} ${short(heat.x.values[j])}, ${heat.y.label} ${short(heat.y.values[i])}`;
    return `${place}: ${score === null ? "not trained yet" : `final score ${short(score)}`}`;
  }

  // Not the click of a cell: the press gives the map the focus, which draws it anew, as every new score does. The cell
  // that was pressed is gone then, and a browser sends no click.
  released(event) {
    const place = event.target.dataset.cell;
    if (!place || event.button !== 0) return;
    this.at = place.split(" ").map(Number);
    this.go(...this.at);
    this.draw();
  }

  go(i, j) {
    this.model.send({ kind: "cell", i, j });
  }

  key(event) {
    const heat = this.model.get("heat");
    if (!heat.scores || !this.at) return;
    let [i, j] = this.at;
    if (event.key === "Enter" || event.key === " ") this.go(i, j);
    else if (event.key === "ArrowUp") i += 1;
    else if (event.key === "ArrowDown") i -= 1;
    else if (event.key === "ArrowRight") j += 1;
    else if (event.key === "ArrowLeft") j -= 1;
    else return;
    this.at = [Math.max(0, Math.min(heat.scores.length - 1, i)), Math.max(0, Math.min(heat.scores[0].length - 1, j))];
    this.spoken.textContent = this.words(...this.at);
    this.draw();
    event.preventDefault();
    event.stopPropagation(); // JupyterLab would move to the next cell
  }
}

function colour(part) {
  const place = Math.max(0, Math.min(1, part)) * (COLOURS.length - 1);
  const k = Math.min(Math.floor(place), COLOURS.length - 2);
  const [a, b] = [COLOURS[k], COLOURS[k + 1]].map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  return `rgb(${a.map((value, c) => Math.round(value + (place - k) * (b[c] - value))).join(",")})`;
}

function ticks(low, high, count) {
  const rough = (high - low || 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((n) => n * power >= rough * 0.999) * power;
  const values = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) values.push(k * step);
  return values;
}

function short(value) {
  if (value === null) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6) return `${trim(value / 1e6)} M`;
  if (size >= 1e4) return `${trim(value / 1e3)} k`;
  if (size < 1e-3) return value.toExponential(0).replaceAll("-", "−");
  return trim(value);
}

function trim(value) {
  return String(Number(value.toPrecision(3))).replace("-", "−");
}

function label(parent, x, y, anchor, words) {
  const text = draw(parent, "text", { x, y, "text-anchor": anchor });
  text.textContent = words;
  return text;
}

function draw(parent, tag, attributes = {}) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent.appendChild(element);
  return element;
}

export default { render };
