// The API, and how its problems are shown.
import { $, el } from "./dom.js";

// Problem is an error as the API tells it, or as the browser does where nothing answered.
export class Problem extends Error {
  constructor(document) {
    super(document.detail || document.title);
    this.document = document;
  }
}

export function problemFrom(status, text) {
  try {
    const document = JSON.parse(text);
    if (document && document.title) return new Problem(document);
  } catch { /* not from the API */ }
  return new Problem({ title: status ? `The answer was ${status}` : "No answer", detail: status ? "" : "Is the gateway running?" });
}

// call fetches JSON, and throws a Problem where there is none.
export async function call(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw problemFrom(0, "");
  }
  const text = await response.text();
  if (!response.ok) throw problemFrom(response.status, text);
  return text ? JSON.parse(text) : {};
}

// describe makes a problem readable: what, why, where, and the id that leads to the logs.
export function describe(problem) {
  const d = problem.document || { title: "Something in this page failed", detail: String(problem) };
  return [
    el("b", {}, d.title),
    d.detail && el("p", {}, d.detail),
    d.errors && el("ul", {}, d.errors.map((e) => el("li", {}, el("code", {}, e.path), " ", e.message))),
    d.reason && el("small", {}, d.reason, d.request_id && " · request " + d.request_id),
  ];
}

// complain shows a problem at the top until it is closed.
export function complain(problem) {
  const box = el("div", { class: "problem" }, describe(problem),
    el("button", { class: "close", type: "button", "aria-label": "Close", onclick: () => box.remove() }, "×"));
  $("problems").prepend(box);
}
