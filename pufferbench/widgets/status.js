// Title, state and progress of a training.

const WORDS = {
  idle: "idle",
  training: "training",
  pausing: "pausing …",
  paused: "paused",
  stopping: "stopping …",
  finished: "finished",
  error: "error",
};

function render({ model, el }) {
  const root = add(el, "div", "pb pb-status");
  const head = add(root, "div", "pb-status-head");
  const names = add(head, "div");
  const title = add(names, "span", "pb-status-title");
  const subtitle = add(names, "span", "pb-status-subtitle");
  const state = add(head, "span", "pb-state");
  state.setAttribute("role", "status");
  const error = add(root, "div", "pb-error");
  error.setAttribute("role", "alert");
  const track = add(root, "div", "pb-track");
  const bar = add(track, "div", "pb-bar");
  track.setAttribute("role", "progressbar");
  track.setAttribute("aria-label", "training progress");
  track.setAttribute("aria-valuemin", 0);
  track.setAttribute("aria-valuemax", 100);
  const line = add(root, "div", "pb-status-line");
  const left = add(line, "span");
  const right = add(line, "span");
  const machine = add(root, "div", "pb-status-machine");

  function update() {
    title.textContent = model.get("title");
    subtitle.textContent = model.get("subtitle");
    const now = model.get("state");
    state.textContent = WORDS[now] || now;
    root.dataset.state = now;
    error.textContent = model.get("message");
    error.hidden = !model.get("message");
    const p = model.get("progress");
    const percent = 100 * (p.done || 0);
    bar.style.width = `${percent}%`;
    track.setAttribute("aria-valuenow", percent.toFixed(0));
    root.dataset.update = p.update || 0;
    root.classList.toggle("pb-noted", Boolean(model.get("note")));
    left.textContent = model.get("note") || `${percent.toFixed(percent < 10 ? 1 : 0)} % · ${count(p.step)} of ${count(p.total)} steps · update ${p.update || 0}`;
    const rate = p.sps ? `${count(p.sps)} steps/s` : "";
    const left_over = p.sps && percent < 100 ? `${duration(p.eta)} left` : "";
    const spent = p.elapsed ? `${duration(p.elapsed)} trained` : "";
    right.textContent = [rate, spent, left_over].filter(Boolean).join(" · ");
    machine.textContent = model.get("machine");
    track.setAttribute("aria-valuetext", `${left.textContent} ${right.textContent}`);
  }

  model.on("change", update);
  update();
  return () => model.off("change", update);
}

function count(n) {
  if (!n) return "0";
  for (const [unit, name] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (n >= unit) return `${(n / unit).toPrecision(3)} ${name}`;
  }
  return String(Math.round(n));
}

function duration(seconds) {
  const s = Math.max(0, Math.round(seconds || 0));
  const [h, m] = [Math.floor(s / 3600), Math.floor((s % 3600) / 60)];
  const two = (n) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s % 60)} h` : m ? `${m}:${two(s % 60)} min` : `${s} s`;
}

export default { render };
