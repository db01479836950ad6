// Pictures that Python sends, and the clock and the keys that it gets: the browser asks for every next picture.
//
// A tick says which keys are down; Python plays one step and answers with pictures. There are never more than
// two unanswered ticks, so a slow kernel or connection slows the game down and nothing piles up. Out of sight
// there are no ticks, and nothing is played.

const IN_FLIGHT = 2;
const PATIENCE = 2000; // ms, after which an answer counts as lost

function render({ model, el }) {
  const id = Math.random().toString(36).slice(2);
  const root = add(el, "div", "pb pb-screen");
  root.tabIndex = 0;
  root.dataset.lmSuppressShortcuts = "true"; // the notebook's own shortcuts: an arrow would leave the cell
  const stage = add(root, "div", "pb-screen-stage");
  const overlay = add(root, "div", "pb-screen-overlay");
  overlay.setAttribute("role", "status");
  const pad = add(root, "div", "pb-screen-pad");
  const places = [];
  const held = new Set(); // in the order in which they went down
  let pressed = [];
  let waiting = new Map(); // number of a tick -> when it was sent
  let number = 0;
  let inView = false;
  let timer = null;
  let due = performance.now();
  let heldUp = false; // a tick waits for an answer to one before it

  // -- pictures ---------------------------------------------------------------------------------

  function place(index) {
    while (places.length <= index) {
      const figure = add(stage, "figure", "pb-screen-picture");
      const label = add(figure, "figcaption", "pb-title");
      const canvas = add(figure, "canvas");
      canvas.setAttribute("role", "img");
      const note = add(figure, "div", "pb-screen-note");
      places.push({ figure, label, canvas, note });
    }
    return places[index];
  }
  function words() {
    root.setAttribute("aria-label", model.get("alt"));
    root.setAttribute("role", model.get("game_keys").length ? "application" : "group");
    const labels = model.get("labels");
    const notes = model.get("notes");
    labels.forEach((text, index) => {
      const { label, canvas, note } = place(index);
      label.textContent = text;
      label.hidden = !text;
      note.textContent = notes[index] || "";
      canvas.setAttribute("aria-label", [model.get("alt"), text, notes[index]].filter(Boolean).join(", "));
    });
    places.splice(labels.length).forEach(({ figure }) => figure.remove());
    stage.style.setProperty("--pb-columns", model.get("columns"));
    root.dataset.note = notes[0] || "";
    cover();
  }
  async function draw(index, bytes) {
    if (!bytes.byteLength) return; // a game that cannot be drawn
    const bitmap = await createImageBitmap(new Blob([bytes]));
    const { canvas } = place(index);
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
      canvas.style.width = `${model.get("zoom") * bitmap.width}px`;
    }
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
    root.dataset.frames = Number(root.dataset.frames || 0) + 1;
  }
  function receive(message, buffers) {
    if (message.view === id) waiting.delete(message.tick);
    (message.pictures || []).forEach((index, i) => draw(index, buffers[i]));
    if (heldUp) {
      clearTimeout(timer);
      tick();
    }
  }

  // -- keys -------------------------------------------------------------------------------------

  function down(key) {
    if (!held.has(key)) pressed.push(key);
    held.add(key);
    touch(key, true);
  }
  function up(key) {
    held.delete(key);
    touch(key, false);
  }
  function touch(key, on) {
    for (const button of pad.children) if (button.dataset.key === key) button.classList.toggle("pb-down", on);
  }
  function releaseAll() {
    for (const key of [...held]) up(key);
  }
  const known = (event) => model.get("game_keys").includes(event.key) && !event.ctrlKey && !event.metaKey && !event.altKey;
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape") root.blur();
    if (!known(event)) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat) down(event.key);
  });
  root.addEventListener("keyup", (event) => {
    if (!known(event)) return;
    event.preventDefault();
    event.stopPropagation();
    up(event.key);
  });
  root.addEventListener("pointerdown", () => root.focus({ preventScroll: true }));
  root.addEventListener("focusout", releaseAll);
  root.addEventListener("focusin", cover);
  root.addEventListener("focusout", cover);

  function buttons() {
    pad.replaceChildren();
    for (const { key, label, help } of model.get("buttons")) {
      const button = add(pad, "button", "pb-key");
      button.textContent = label;
      button.title = help;
      button.dataset.key = key;
      button.tabIndex = -1; // who has a keyboard needs no picture of it
      button.setAttribute("aria-label", help);
      button.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        button.setPointerCapture(event.pointerId);
        down(key);
      });
      for (const end of ["pointerup", "pointercancel"]) button.addEventListener(end, () => up(key));
    }
  }

  // -- the clock --------------------------------------------------------------------------------

  const focused = () => root.contains(document.activeElement);
  function cover() {
    const text = model.get("overlay") || (model.get("needs_focus") && !focused() ? model.get("hint") : "");
    overlay.textContent = text;
    overlay.hidden = !text;
  }
  function tick() {
    const period = model.get("period");
    const now = performance.now();
    for (const [sent, when] of waiting) if (now - when > PATIENCE) waiting.delete(sent);
    const active = period > 0 && inView && !document.hidden && (!model.get("needs_focus") || focused());
    // Not left out: a whole period would be lost where an answer comes a millisecond late
    heldUp = active && waiting.size >= IN_FLIGHT;
    if (heldUp) {
      timer = setTimeout(tick, 100); // the answer calls us sooner, if it comes
      return;
    }
    if (active) {
      number += 1;
      waiting.set(number, now);
      model.send({ kind: "tick", view: id, tick: number, held: [...held], pressed });
      pressed = [];
    }
    // Behind by more than a few pictures (a sleeping laptop): do not catch up.
    due = Math.max(due + (period || 100), now - 100);
    timer = setTimeout(tick, Math.max(0, due - performance.now()));
  }

  const seen = new IntersectionObserver((entries) => {
    inView = entries[entries.length - 1].isIntersecting;
  });
  seen.observe(stage);
  const texts = ["labels", "notes", "alt", "columns", "overlay", "hint", "needs_focus", "zoom"];
  for (const name of texts) model.on(`change:${name}`, words);
  model.on("change:buttons", buttons);
  model.on("msg:custom", receive);
  words();
  buttons();
  tick();
  const stopAsking = ask(model, { kind: "hello", view: id });
  return () => {
    clearTimeout(timer);
    stopAsking();
    seen.disconnect();
    for (const name of texts) model.off(`change:${name}`, words);
    model.off("change:buttons", buttons);
    model.off("msg:custom", receive);
    model.send({ kind: "bye", view: id });
  };
}

export default { render };
