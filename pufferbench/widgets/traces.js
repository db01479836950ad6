// Small charts over the steps of an episode, one above the other, with a common cursor.

const NS = "http://www.w3.org/2000/svg";
const SIDE = { left: 46, right: 12, top: 6, bottom: 6, axis: 20 };

function svg(parent, tag, attributes = {}) {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent.appendChild(element);
  return element;
}

function render({ model, el }) {
  const root = add(el, "div", "pb pb-traces");
  root.tabIndex = 0;
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", model.get("alt"));
  let data = model.get("series").map(() => []);
  let wanted = false;
  const charts = model.get("series").map((series) => {
    const figure = add(root, "figure", "pb-trace");
    const head = add(figure, "figcaption");
    head.title = series.help;
    add(head, "span", "pb-title").textContent = series.title;
    const value = add(head, "span", "pb-value");
    add(head, "span", "pb-unit").textContent = series.unit;
    const picture = svg(figure, "svg", { height: model.get("height"), role: "img" });
    return { series, figure, value, picture };
  });
  const spoken = add(root, "div", "pb-hidden");
  spoken.setAttribute("aria-live", "polite");

  const length = () => Math.max(...data.map((column) => column.length), 0);
  const span = () => Math.max(model.get("steps") || 0, length(), 2);
  function number(x) {
    if (x === undefined || Number.isNaN(x)) return "–";
    const size = Math.abs(x);
    return size !== 0 && (size >= 1e5 || size < 1e-3) ? x.toExponential(1) : String(Number(x.toPrecision(3)));
  }
  function receive(message, buffers) {
    if (message.kind !== "points") return;
    const width = data.length;
    const view = buffers[0];
    const bytes = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
    const rows = new Float32Array(bytes);
    data.forEach((column, i) => {
      column.length = Math.min(column.length, message.start);
      for (let j = i; j < rows.length; j += width) column.push(rows[j]);
    });
    later();
  }
  function later() {
    if (wanted) return;
    wanted = true;
    requestAnimationFrame(() => {
      wanted = false;
      charts.forEach((chart, index) => drawChart(chart, data[index], index === charts.length - 1));
      root.dataset.points = length();
    });
  }
  function drawChart({ series, value, picture }, column, last) {
    const width = picture.clientWidth;
    if (!width) return; // hidden for a moment, while a theme is loaded: what is drawn stays right
    const height = model.get("height") + (last ? SIDE.axis : 0);
    picture.setAttribute("height", height);
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    picture.replaceChildren();
    const finite = column.filter((x) => !Number.isNaN(x));
    let low = Math.min(...finite, series.low ?? 0);
    let high = Math.max(...finite, series.high ?? (finite.length ? -Infinity : 1));
    if (!(high > low)) high = low + 1;
    const room = 0.06 * (high - low);
    low -= series.low === undefined ? room : 0;
    high += series.high === undefined ? room : 0;
    const bottom = model.get("height") - SIDE.bottom;
    const x = (step) => SIDE.left + (step / (span() - 1)) * (width - SIDE.left - SIDE.right);
    const y = (v) => bottom - ((v - low) / (high - low)) * (bottom - SIDE.top);
    const axes = svg(picture, "g", { class: "pb-axes" });
    for (const at of ticks(low, high, 3)) {
      svg(axes, "line", { x1: SIDE.left, x2: width - SIDE.right, y1: y(at), y2: y(at) });
      const text = svg(axes, "text", { x: SIDE.left - 6, y: y(at) + 4, "text-anchor": "end" });
      text.textContent = number(at);
    }
    if (last) {
      for (const at of ticks(0, span() - 1, Math.max(2, Math.floor(width / 90)))) {
        const text = svg(axes, "text", { x: x(at), y: height - 5, "text-anchor": "middle" });
        text.textContent = number(at);
      }
      const unit = svg(axes, "text", { x: SIDE.left - 6, y: height - 5, "text-anchor": "end" });
      unit.textContent = "step";
    }
    if (series.bars) {
      const base = y(Math.max(low, Math.min(high, 0)));
      const path = column.map((v, i) => (v ? `M${x(i).toFixed(1)},${base.toFixed(1)}V${y(v).toFixed(1)}` : "")).join("");
      svg(picture, "path", { class: `pb-line pb-${series.colour}`, d: path, "stroke-width": 2 });
    } else {
      let pen = "M";
      const path = column
        .map((v, i) => {
          if (Number.isNaN(v)) {
            pen = "M";
            return "";
          }
          const point = `${pen}${x(i).toFixed(1)},${y(v).toFixed(1)}`;
          pen = "L";
          return point;
        })
        .join("");
      svg(picture, "path", { class: `pb-line pb-${series.colour}`, d: path });
    }
    const cursor = model.get("cursor");
    const shown = cursor >= 0 ? cursor : column.length - 1;
    if (cursor >= 0) svg(picture, "line", { class: "pb-cursor", x1: x(cursor), x2: x(cursor), y1: 0, y2: bottom });
    if (shown >= 0 && !Number.isNaN(column[shown]) && column[shown] !== undefined) {
      svg(picture, "circle", { class: `pb-dot pb-${series.colour}`, cx: x(shown), cy: y(column[shown]), r: 4 });
    }
    value.textContent = number(column[shown]);
    picture.setAttribute(
      "aria-label",
      `${series.title}${series.unit ? ", " + series.unit : ""}: ${column.length} steps, at step ${shown} ${value.textContent}`,
    );
  }
  function ticks(low, high, count) {
    const raw = (high - low) / count;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((k) => k * power).find((size) => size >= raw);
    const found = [];
    for (let at = Math.ceil(low / step) * step; at <= high + 1e-9 * step; at += step) found.push(Math.abs(at) < 1e-12 ? 0 : at);
    return found;
  }

  // Seek, where the owner lets us: by pointer and by arrow keys.
  function seek(step) {
    if (model.get("cursor") < 0) return;
    const to = Math.max(0, Math.min(length() - 1, step));
    model.set("cursor", to);
    model.save_changes();
    spoken.textContent = charts.map((chart) => `${chart.series.title} ${chart.value.textContent}`).join(", ");
  }
  function pointed(event) {
    const box = charts[0].picture.getBoundingClientRect();
    const share = (event.clientX - box.left - SIDE.left) / (box.width - SIDE.left - SIDE.right);
    seek(Math.round(share * (span() - 1)));
  }
  root.addEventListener("pointerdown", (event) => {
    if (model.get("cursor") < 0 || !event.target.closest("svg")) return;
    root.setPointerCapture(event.pointerId);
    pointed(event);
  });
  root.addEventListener("pointermove", (event) => {
    if (root.hasPointerCapture(event.pointerId)) pointed(event);
  });
  root.dataset.lmSuppressShortcuts = "true";
  root.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity }[event.key];
    if (by === undefined || model.get("cursor") < 0) return;
    event.preventDefault();
    event.stopPropagation();
    seek(model.get("cursor") + by);
  });

  const resized = new ResizeObserver(later);
  for (const chart of charts) resized.observe(chart.picture);
  model.on("msg:custom", receive);
  model.on("change:cursor", later);
  model.on("change:steps", later);
  const stopAsking = ask(model, { kind: "all" });
  later();
  return () => {
    stopAsking();
    resized.disconnect();
    model.off("msg:custom", receive);
    model.off("change:cursor", later);
    model.off("change:steps", later);
  };
}

export default { render };
