// Stands before every widget's own script (see assets.py).

// A new element in `parent`.
function add(parent, tag, name = "") {
  const element = document.createElement(tag);
  element.className = name;
  parent.appendChild(element);
  return element;
}

