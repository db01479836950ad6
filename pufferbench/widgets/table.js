// A table. Its heads are buttons that sort by their column: once downwards, again upwards.

function render({ model, el }) {
  const root = add(el, "div", "pb pb-table");
  let by = null;
  let down = true;

  function update() {
    const names = model.get("names");
    const cells = model.get("cells");
    const colours = model.get("colours");
    root.replaceChildren();
    if (!cells.length) {
      add(root, "div", "pb-table-empty").textContent = model.get("empty");
      return;
    }
    const table = add(root, "table");
    add(table, "caption", "pb-hidden").textContent = model.get("caption");
    const head = add(add(table, "thead"), "tr");
    names.forEach((name, column) => {
      const cell = add(head, "th", numeric(cells, column) ? "pb-number" : "");
      cell.scope = "col";
      cell.setAttribute("aria-sort", by !== column ? "none" : down ? "descending" : "ascending");
      const button = add(cell, "button");
      button.textContent = name + (by !== column ? "" : down ? " ↓" : " ↑");
      button.title = `Sort by ${name}`;
      button.addEventListener("click", () => {
        down = by === column ? !down : true;
        by = column;
        update();
        root.querySelectorAll("th button")[column].focus();
      });
    });
    const body = add(table, "tbody");
    const order = cells.map((_, i) => i);
    if (by !== null) order.sort((a, b) => (down ? -1 : 1) * compare(cells[a][by], cells[b][by]));
    for (const i of order) {
      const row = add(body, "tr");
      cells[i].forEach((value, column) => {
        const cell = add(row, "td", numeric(cells, column) ? "pb-number" : "");
        if (column === 0 && colours[i]) add(cell, "i").style.background = colours[i];
        cell.append(words(value));
      });
    }
  }
  model.on("change", update);
  update();
  return () => model.off("change", update);
}

function numeric(cells, column) {
  return cells.every((row) => row[column] === null || typeof row[column] === "number");
}

function compare(a, b) {
  if (a === b) return 0;
  if (a === null) return -1;
  if (b === null) return 1;
  return a < b ? -1 : 1;
}

function words(value) {
  if (value === null) return "–";
  if (typeof value !== "number") return value;
  if (Number.isInteger(value)) return value.toLocaleString("en-US");
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e9) return value.toExponential(1).replaceAll("-", "−");
  return String(Number(value.toPrecision(4)).toLocaleString("en-US", { maximumFractionDigits: 6 })).replace("-", "−");
}

export default { render };
