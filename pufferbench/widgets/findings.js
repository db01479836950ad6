// Findings about a training: what was seen, what to do, and a button that does it.

function render({ model, el }) {
  const root = add(el, "div", "pb pb-findings");
  root.setAttribute("role", "status");
  root.setAttribute("aria-label", "Diagnosis");

  function update() {
    const found = model.get("found");
    root.hidden = !model.get("looked");
    root.dataset.count = found.length;
    const focused = root.contains(document.activeElement) ? document.activeElement.dataset.rule : null;
    root.replaceChildren();
    if (!found.length) {
      const line = add(root, "div", "pb-finding pb-fine");
      add(line, "span", "pb-finding-mark").textContent = "✓";
      add(line, "span").textContent = "Diagnosis: nothing wrong";
    }
    for (const finding of found) {
      const line = add(root, "div", `pb-finding ${finding.problem ? "pb-problem" : "pb-hint"}`);
      add(line, "span", "pb-finding-mark").textContent = finding.problem ? "!" : "i";
      const text = add(line, "span", "pb-finding-text");
      add(text, "b").textContent = finding.rule;
      // "Entropy entropy 0.01" reads badly
      const said = finding.evidence.toLowerCase().startsWith(finding.rule.toLowerCase());
      text.append(` ${said ? finding.evidence.slice(finding.rule.length + 1) : finding.evidence}. `);
      add(text, "em").textContent = `${finding.remedy[0].toUpperCase()}${finding.remedy.slice(1)}.`;
      if (!finding.option) continue;
      const button = add(line, "button");
      button.dataset.rule = finding.rule;
      button.textContent = finding.pending ? "pending …" : finding.label;
      button.disabled = finding.pending;
      button.title = "Apply this at the next update";
      button.addEventListener("click", () => {
        button.textContent = "pending …";
        button.disabled = true;
        model.send({ apply: finding.rule });
      });
      if (focused === finding.rule) button.focus();
    }
  }
  model.on("change", update);
  update();
  return () => model.off("change", update);
}

export default { render };
