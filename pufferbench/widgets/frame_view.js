// Shows the frames that Python sends, and says when one is drawn, so that Python never runs ahead. A frame may be a
// film (an animated image): the browser plays it without our help, and we only let it play to its end.

function render({ model, el }) {
  const id = Math.random().toString(36).slice(2);
  const root = add(el, "figure", "pb pb-frame");
  const head = add(root, "figcaption");
  const label = add(head, "span", "pb-title");
  const place = add(root, "div", "pb-frame-place");
  const image = add(place, "img");
  const note = add(root, "div", "pb-frame-note");
  let url = null;
  let shown = null;
  let over = 0; // when the film that plays now will have ended
  let timer = null;
  // Out of sight (scrolled away, another tab), Python need not play at all.
  const watch = watchPlace(place, (visible) => model.send({ kind: "visible", view: id, visible }));

  function frame() {
    const bytes = model.get("frame");
    image.hidden = !bytes || !bytes.byteLength;
    if (image.hidden || bytes === shown) return;
    shown = bytes;
    clearTimeout(timer);
    timer = setTimeout(show, over - performance.now(), bytes, 1000 * model.get("seconds"));
  }
  function show(bytes, duration) {
    over = performance.now() + duration;
    const next = URL.createObjectURL(new Blob([bytes]));
    image.onload = image.onerror = () => {
      if (url) URL.revokeObjectURL(url);
      url = next;
      root.dataset.frames = Number(root.dataset.frames || 0) + 1;
      model.send({ kind: "drawn", view: id, visible: watch.visible });
    };
    image.src = next;
  }
  function words() {
    label.textContent = model.get("label");
    image.alt = model.get("alt");
    note.textContent = model.get("note");
    place.style.setProperty("--pb-ratio", `${model.get("width")} / ${model.get("height")}`);
    place.style.setProperty("--pb-width", `${model.get("width")}px`);
  }
  model.on("change:frame", frame);
  for (const name of ["label", "alt", "note", "width", "height"]) model.on(`change:${name}`, words);
  words();
  frame();

  return () => {
    watch.stop();
    clearTimeout(timer);
    model.off("change:frame", frame);
    for (const name of ["label", "alt", "note", "width", "height"]) model.off(`change:${name}`, words);
    if (url) URL.revokeObjectURL(url);
  };
}

export default { render };
