// Shows the SVG that Python makes, and tells Python what is clicked and typed. Says when a picture is drawn, so that
// Python never runs ahead.

function render({ model, el }) {
  const id = Math.random().toString(36).slice(2);
  const root = add(el, "div", "pb pb-drawing");
  const decoder = new TextDecoder();
  let shown = null;
  const watch = watchPlace(root, (visible) => model.send({ kind: "visible", view: id, visible }));

  function draw() {
    const bytes = model.get("frame");
    if (!bytes || !bytes.byteLength || bytes === shown) return;
    shown = bytes;
    root.innerHTML = decoder.decode(bytes); // made by svg.py, which escapes all words
    root.dataset.frames = Number(root.dataset.frames || 0) + 1;
    requestAnimationFrame(() => model.send({ kind: "drawn", view: id, visible: watch.visible }));
  }
  function words() {
    root.setAttribute("aria-label", model.get("alt"));
    root.title = model.get("note");
  }
  model.on("change:frame", draw);
  model.on("change:alt change:note", words);
  words();
  draw();

  // Whatever has data-pick can be clicked, and painted over with the button held down.
  let last = null;
  const pick = (event, kind) => {
    const target = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-pick]");
    if (!target || !root.contains(target) || (kind === "paint" && target.dataset.pick === last)) return false;
    last = target.dataset.pick;
    model.send({ kind, pick: last });
    return true;
  };
  root.addEventListener("pointerdown", (event) => {
    if (event.button === 0 && pick(event, "press")) event.target.releasePointerCapture?.(event.pointerId);
  });
  root.addEventListener("pointermove", (event) => {
    if (event.buttons === 1 && last !== null) pick(event, "paint");
  });
  const up = () => (last = null);
  window.addEventListener("pointerup", up);

  const keys = model.get("typed");
  if (keys.length) {
    root.tabIndex = 0;
    root.setAttribute("role", "application");
    root.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !keys.includes(event.key)) return;
      model.send({ kind: "key", key: event.key });
      event.preventDefault();
      event.stopPropagation(); // JupyterLab would move to the next cell
    });
  }
  return () => {
    model.off("change:frame", draw);
    model.off("change:alt change:note", words);
    window.removeEventListener("pointerup", up);
    watch.stop();
  };
}

export default { render };
