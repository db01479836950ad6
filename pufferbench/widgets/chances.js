// What a policy would do: a bar for the probability of each action, or a bell for each dimension of a Box.

function render({ model, el }) {
  const root = add(el, "div", "pb pb-chances");
  const rows = [];

  function build() {
    root.replaceChildren();
    rows.length = 0;
    const head = add(root, "div", "pb-title");
    head.textContent = model.get("title");
    head.title = model.get("help");
    for (const part of model.get("parts")) {
      if (part.name) add(root, "div", "pb-chances-part").textContent = part.name;
      if (part.options.length) part.options.forEach((name) => rows.push(bar(name)));
      else rows.push(bell(part));
    }
    update();
  }
  function line(name) {
    const row = add(root, "div", "pb-chance");
    const label = add(row, "span", "pb-chance-name");
    label.textContent = label.title = name;
    const track = add(row, "span", "pb-chance-track");
    const value = add(row, "span", "pb-chance-value");
    return { row, track, value };
  }
  function bar(name) {
    const { row, track, value } = line(name);
    const fill = add(track, "span", "pb-chance-fill");
    return {
      width: 1,
      show([share], chosen) {
        fill.style.width = `${100 * share}%`;
        value.textContent = `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;
        row.classList.toggle("pb-chosen", chosen);
        row.setAttribute("aria-label", `${name}: ${value.textContent}${chosen ? ", chosen" : ""}`);
      },
    };
  }
  // Middle and deviation on the dimension's range; the mark is what was done.
  function bell(part) {
    const { row, track, value } = line(part.name || "value");
    const band = add(track, "span", "pb-chance-band");
    const mark = add(track, "span", "pb-chance-mark");
    const low = Math.max(part.low ?? -3, -1e3);
    const high = Math.min(part.high ?? 3, 1e3);
    const at = (x) => Math.max(0, Math.min(100, (100 * (x - low)) / (high - low)));
    return {
      width: 1,
      show([middle, deviation], done) {
        band.style.left = `${at(middle - deviation)}%`;
        band.style.width = `${Math.max(1, at(middle + deviation) - at(middle - deviation))}%`;
        mark.style.left = `${at(done)}%`;
        value.textContent = `${middle.toPrecision(2)} ± ${deviation.toPrecision(2)}`;
        row.setAttribute("aria-label", `${part.name || "action"}: ${value.textContent}, done ${done}`);
      },
    };
  }
  function update() {
    const shares = model.get("distribution");
    const done = model.get("done");
    root.classList.toggle("pb-empty-chances", !shares.length);
    if (!shares.length) return;
    const parts = model.get("parts");
    let row = 0;
    let offset = 0;
    const bells = parts.filter((part) => !part.options.length).length;
    parts.forEach((part, index) => {
      if (!part.options.length) {
        rows[row].show([shares[index], shares[bells + index]], done[index]);
        row += 1;
        return;
      }
      part.options.forEach((_, option) => rows[row++].show([shares[offset + option]], done[index] === option));
      offset += part.options.length;
    });
  }
  model.on("change:parts", build);
  model.on("change:title", build);
  model.on("change:distribution", update);
  model.on("change:done", update);
  build();
  return () => {
    model.off("change:parts", build);
    model.off("change:title", build);
    model.off("change:distribution", update);
    model.off("change:done", update);
  };
}

export default { render };
