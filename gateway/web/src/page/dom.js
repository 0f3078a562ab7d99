// Making elements. Whatever users wrote becomes text nodes and nothing else: nothing here takes markup, nor makes a
// link.

export const el = (id) => document.getElementById(id);

// node makes an element; strings among its children become text nodes, what is not there is left out.
export function node(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children.filter((child) => child || child === ""));
  return made;
}

// button makes a button that shows an icon of the page's sprite and says what it does.
export function button(className, name, label, onClick) {
  const made = node("button", className, icon(name));
  made.type = "button";
  made.title = label;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", onClick);
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

// icon shows a symbol of the page's sprite; with a label it says something, without one it adorns.
export function icon(name, label) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  if (label) {
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
  } else {
    svg.setAttribute("aria-hidden", "true");
  }
  return svg;
}

// face is a user's round picture: the first character of the name, in a colour that is always the same for it.
export function face(name, status) {
  const made = node("span", "face", [...name][0]?.toUpperCase() ?? "?");
  paintFace(made, name, status);
  return made;
}

export function paintFace(target, name, status) {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 8;
  target.textContent = [...name][0]?.toUpperCase() ?? "?";
  target.dataset.hue = String(sum);
  target.setAttribute("aria-hidden", "true");
  if (status) target.dataset.status = status;
  else delete target.dataset.status;
}

// arrange makes children the children of a list, moving and removing as little as it can, so that focus and what
// screen readers have said already stay.
export function arrange(list, children) {
  const wanted = new Set(children);
  for (const old of [...list.children]) if (!wanted.has(old)) old.remove();
  children.forEach((child, i) => {
    if (list.children[i] !== child) list.insertBefore(child, list.children[i] ?? null);
  });
}

// drawer makes a function that draws at most once a frame of the screen, however often it is called.
export function drawer(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
}
