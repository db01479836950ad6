// One observation: pictures as pictures, numbers as a table with bars. Where a policy looks is marked in orange.

const CELL = 220; // pixels, the longer side of a picture

function render({ model, el }) {
  const root = add(el, "div", "pb pb-observation");
  let numbers = new Float32Array(0);
  let why = null;
  let blocks = [];
  let largest = []; // seen so far of each number, for the length of its bar

  function build() {
    root.replaceChildren();
    const head = add(root, "div", "pb-title");
    head.textContent = model.get("title");
    head.title = model.get("help");
    const body = add(root, "div", "pb-observation-body");
    body.tabIndex = 0;
    body.setAttribute("role", "group");
    body.setAttribute("aria-label", model.get("title"));
    blocks = model.get("parts").map((part) => (part.picture ? picture(body, part) : table(body, part)));
    draw();
  }
  function table(body, part) {
    const place = add(body, "table", "pb-numbers");
    const rows = Array.from({ length: part.size }, (_, i) => {
      const row = add(place, "tr");
      const name = add(row, "th");
      name.scope = "row";
      if (part.size > 1) add(name, "span", "pb-number-index").textContent = i;
      name.append([part.name, part.names[i]].filter(Boolean).join(" "));
      name.title = name.textContent;
      const track = add(add(row, "td"), "span", "pb-number-track");
      const fill = add(track, "span", "pb-number-fill");
      const value = add(row, "td", "pb-number-value");
      return { row, fill, value };
    });
    return {
      size: part.size,
      show(values, marks, offset) {
        rows.forEach(({ row, fill, value }, i) => {
          const x = values[i];
          largest[offset + i] = Math.max(largest[offset + i] ?? 1, Math.abs(x));
          const share = (50 * x) / largest[offset + i];
          fill.style.left = `${50 + Math.min(0, share)}%`;
          fill.style.width = `${Math.abs(share)}%`;
          value.textContent = Number.isInteger(x) ? String(x) : x.toFixed(3);
          row.style.setProperty("--pb-why", marks ? marks[i].toFixed(3) : 0);
        });
      },
    };
  }
  function picture(body, part) {
    if (part.name) add(body, "div", "pb-chances-part").textContent = part.name;
    const row = add(body, "div", "pb-layers");
    const layers = layout(part.shape);
    const canvases = layers.map((_, index) => {
      const canvas = add(row, "canvas");
      const [height, width] = layers[index].size;
      const scale = Math.max(1, Math.floor(CELL / (layers.length > 1 ? 2 : 1) / Math.max(height, width)));
      canvas.width = width * scale;
      canvas.height = height * scale;
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${part.name || "picture"} ${layers.length > 1 ? index : ""}`);
      return canvas;
    });
    return {
      size: part.size,
      show(values, marks) {
        const top = Math.max(...values, 1e-9);
        const low = Math.min(...values, 0);
        layers.forEach((layer, index) => paint(canvases[index], layer, values, marks, low, top));
      },
    };
  }
  // Channels first or last; three at the end are colours.
  function layout(shape) {
    if (shape.length === 2) return [{ size: shape, at: (y, x) => [y * shape[1] + x] }];
    const [a, b, c] = shape;
    if (c === 3) return [{ size: [a, b], at: (y, x) => [0, 1, 2].map((k) => (y * b + x) * c + k) }];
    if (a <= c) return Array.from({ length: a }, (_, k) => ({ size: [b, c], at: (y, x) => [(k * b + y) * c + x] }));
    return Array.from({ length: c }, (_, k) => ({ size: [a, b], at: (y, x) => [(y * b + x) * c + k] }));
  }
  function paint(canvas, layer, values, marks, low, top) {
    const [height, width] = layer.size;
    const scale = canvas.width / width;
    const context = canvas.getContext("2d");
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        const at = layer.at(y, x);
        const shade = at.map((i) => Math.round((255 * (values[i] - low)) / (top - low)));
        context.fillStyle = `rgb(${shade.length === 3 ? shade.join() : [shade[0], shade[0], shade[0]].join()})`;
        context.fillRect(x * scale, y * scale, scale, scale);
        const mark = marks ? Math.max(...at.map((i) => marks[i])) : 0;
        if (mark > 0.02) {
          context.fillStyle = `rgb(255 140 0 / ${0.75 * mark})`;
          context.fillRect(x * scale, y * scale, scale, scale);
        }
      }
    }
  }
  function draw() {
    let offset = 0;
    for (const block of blocks) {
      const values = numbers.slice(offset, offset + block.size);
      if (values.length === block.size) block.show(values, why && why.slice(offset, offset + block.size), offset);
      offset += block.size;
    }
    root.dataset.numbers = numbers.length;
    root.dataset.why = why ? "1" : "";
  }
  function floats(view) {
    return new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
  }
  function receive(message, buffers) {
    if (message.kind !== "numbers") return;
    numbers = floats(buffers[0]);
    why = buffers.length > 1 ? floats(buffers[1]) : null;
    draw();
  }
  model.on("msg:custom", receive);
  model.on("change:title", build);
  build();
  const stopAsking = ask(model, { kind: "all" });
  return () => {
    stopAsking();
    model.off("msg:custom", receive);
    model.off("change:title", build);
  };
}

export default { render };
