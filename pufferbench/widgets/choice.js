// A labelled <select> whose options can be disabled one by one, each with its reason.

function render({ model, el }) {
  const root = document.createElement("label");
  root.className = "pb pb-choice";
  const name = document.createElement("span");
  const select = document.createElement("select");
  const note = document.createElement("span");
  note.className = "pb-choice-note";
  root.append(name, select, note);
  el.appendChild(root);

  function update() {
    name.textContent = model.get("label");
    root.title = model.get("help");
    note.textContent = model.get("note");
    select.replaceChildren(
      ...model.get("options").map((option) => {
        const item = document.createElement("option");
        item.value = option.value;
        item.disabled = option.disabled;
        item.title = option.reason;
        item.textContent = option.disabled ? `${option.label} – not available` : option.label;
        return item;
      }),
    );
    select.value = model.get("value");
    const reasons = model.get("options").filter((option) => option.disabled).map((option) => option.reason);
    select.title = [model.get("help"), ...reasons].filter(Boolean).join("\n");
    select.setAttribute("aria-description", reasons.join(" "));
  }
  select.addEventListener("change", () => {
    model.set("value", select.value);
    model.save_changes();
  });
  model.on("change", update);
  update();
  return () => model.off("change", update);
}

export default { render };
