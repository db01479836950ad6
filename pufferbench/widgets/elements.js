// Stands before every widget's own script (see assets.py).

// A new element in `parent`.
function add(parent, tag, name = "") {
  const element = document.createElement(tag);
  element.className = name;
  parent.appendChild(element);
  return element;
}


const HEARTBEAT = 2000; // ms
const SLOWEST_BEAT = 20000;

// Say whether `place` can be seen (not scrolled away, no other tab): at each change, and again and again while it
// can, because a message from before JupyterLab had its subshell for widgets waits until the running cell ends.
// Less and less often: for each message JupyterLab draws that the kernel is busy, and idle again.
function watchPlace(place, say) {
  const watch = { visible: false, stop };
  let inView = false;
  const check = () => {
    const visible = inView && !document.hidden;
    if (visible || watch.visible) say(visible);
    watch.visible = visible;
  };
  const observer = new IntersectionObserver((entries) => {
    inView = entries[entries.length - 1].isIntersecting;
    check();
  });
  observer.observe(place);
  let wait = HEARTBEAT;
  let timer = setTimeout(beat, wait);
  function beat() {
    check();
    wait = Math.min(1.5 * wait, SLOWEST_BEAT);
    timer = setTimeout(beat, wait);
  }
  document.addEventListener("visibilitychange", check);
  function stop() {
    observer.disconnect();
    document.removeEventListener("visibilitychange", check);
    clearTimeout(timer);
    inView = false;
    check();
  }
  return watch;
}

// Send `message` until Python says anything: in the first moments of a page, while JupyterLab makes its subshell for
// widgets, a message may be dropped. Returns a function that gives up.
function ask(model, message) {
  model.send(message);
  const again = setInterval(() => model.send(message), HEARTBEAT);
  const stop = () => {
    clearInterval(again);
    model.off("msg:custom", stop);
  };
  model.on("msg:custom", stop);
  return stop;
}

