// Elements, made so that no text is ever read as markup: children are nodes or become text nodes.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...kept(children));
  return element;
}

const kept = (children) => children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false);

export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

export const chip = (text, kind = "") => h("span", { class: `chip ${kind}` }, String(text));
export const pretty = (value) => JSON.stringify(value, null, 2);
export const percent = (share) => `${Math.round(100 * share)} %`;
export const byRate = (rates) => Object.entries(rates ?? {}).sort(([, a], [, b]) => a.solve_rate - b.solve_rate || a.f1 - b.f1);
export const words = (name) => name.replaceAll("_", " ");

export function show(...children) {
  const page = document.getElementById("page");
  page.replaceChildren(...kept(children));
  return page;
}

export function notice(title, ...rest) {
  return h("section", { class: "notice", role: "status" }, h("h2", null, title), rest);
}
