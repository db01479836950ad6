// One stacked bar: where the time of an update goes.

function render({ model, el }) {
  const root = add(el, "div", "pb pb-times");
  add(root, "span", "pb-times-title").textContent = "Time per update";
  const bar = add(root, "div", "pb-times-bar");
  bar.setAttribute("role", "img");
  const legend = add(root, "div", "pb-times-legend");
  const parts = model.get("parts").map((part) => {
    const piece = add(bar, "div");
    piece.style.background = `var(--pb-${part.colour})`;
    const item = add(legend, "span");
    item.title = part.help;
    add(item, "i").style.background = `var(--pb-${part.colour})`;
    add(item, "span").textContent = part.name;
    return { ...part, piece, share: add(item, "b") };
  });

  function update() {
    const shares = model.get("shares");
    const total = parts.reduce((sum, part) => sum + (shares[part.key] || 0), 0);
    for (const part of parts) {
      const percent = total ? (100 * (shares[part.key] || 0)) / total : 0;
      part.piece.style.flexGrow = percent;
      part.share.textContent = total ? `${percent.toFixed(0)} %` : "–";
      part.piece.title = `${part.name} ${percent.toFixed(0)} %: ${part.help}`;
    }
    const words = parts.map((part) => `${part.name} ${part.share.textContent}`).join(", ");
    bar.setAttribute("aria-label", `Time per update ${(total * 1000).toFixed(0)} ms: ${words}`);
  }
  model.on("change:shares", update);
  update();
  return () => model.off("change:shares", update);
}

export default { render };
