// Small things every part of the pages uses. Text from outside only ever becomes text.

// el makes an element: el("a", {href: "/x", class: "y", onclick: f}, "text", child, [more]).
export function el(name, props = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "class") node.className = value;
    else if (key in node && typeof value !== "string") node[key] = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((c) => c !== undefined && c !== null && c !== false));
  return node;
}

// fill puts children in the place of what a node holds.
export function fill(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter((c) => c !== undefined && c !== null && c !== false));
  return node;
}

export const $ = (id) => document.getElementById(id);

// bytes writes a size as people read it.
export function bytes(n) {
  n = Number(n);
  for (const unit of ["B", "KiB", "MiB"]) {
    if (n < 1024) return (unit === "B" || n >= 100 ? Math.round(n) : n.toFixed(1)) + " " + unit;
    n /= 1024;
  }
  return n.toFixed(1) + " GiB";
}

export const extension = (format) => (format === "jpeg" ? "jpg" : format);
