// The API's documentation, drawn from /openapi.json.
import { call, complain } from "./api.js";
import { $, el, fill } from "./dom.js";

const methods = ["get", "post", "put", "patch", "delete"];

const deref = (doc, node) => (node && node.$ref ? node.$ref.slice(2).split("/").reduce((at, key) => at[key], doc) : node);

// typeName says what a schema is in a word or two.
function typeName(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.type === "array") return "list of " + typeName(schema.items);
  return schema.format && schema.format !== "int32" ? `${schema.type || ""} (${schema.format})` : schema.type || "";
}

// fields lists an object's fields, and those of what it holds behind a fold.
function fields(doc, schema, depth = 0) {
  const s = deref(doc, schema);
  const props = s && (s.properties || (s.items && deref(doc, s.items).properties));
  if (!props) return s && s.enum ? el("p", { class: "about" }, s.enum.join(" · ")) : null;
  return el("ul", { class: "fields" }, Object.entries(props).map(([name, p]) => {
    const inner = depth < 4 ? fields(doc, p.items || p, depth + 1) : null;
    return el("li", {}, el("code", {}, name), " ", el("em", {}, typeName(p)), " ", p.description || "",
      inner && el("details", {}, el("summary", {}, typeName(p)), inner));
  }));
}

const examples = { id: "ID", name: "thumb", options: "w_512,h_512,c_fill,g_auto", file: "ID.webp" };

// curl writes the line that tries an operation.
function curl(path, method, op) {
  const url = location.origin + path.replace(/\{(\w+)\}/g, (_, key) => (key === "id" && path.includes("/jobs/") ? "job_ID" : key === "id" ? "img_ID" : (examples[key] || key).replace(/^ID/, "img_ID")));
  const parts = ["curl"];
  if (op.operationId === "Images_Upload") return `curl --data-binary @photo.jpg '${url}?preset=web'\ncurl -F file=@photo.jpg -F preset=web ${url}`;
  if (method !== "get") parts.push("-X " + method.toUpperCase());
  const body = op.requestBody && op.requestBody.content["application/json"];
  if (body) parts.push(path.includes(":") ? "" : `-H 'Content-Type: application/json' -d '{"image_id":"img_ID","preset":"web"}'`);
  if (path.endsWith("/events")) parts.push("-N");
  if (path.startsWith("/i/") || path.endsWith("/original") || path.includes("/variants/")) parts.push("-o out");
  const query = (op.parameters || []).find((p) => p.in === "query" && p.name === "name");
  return parts.filter(Boolean).join(" ") + " " + (query ? `'${url}?name=Ada'` : url);
}

function copyable(text) {
  const button = el("button", { type: "button", class: "quiet", onclick: async () => { await navigator.clipboard.writeText(text); button.textContent = "copied"; } }, "copy");
  return el("div", { class: "curl" }, el("pre", {}, text), navigator.clipboard && button);
}

function operation(doc, path, method, op) {
  const params = op.parameters || [];
  const types = op.requestBody ? Object.entries(op.requestBody.content) : [];
  return el("article", { class: "op", id: op.operationId },
    el("h3", {}, el("span", { class: "method " + method }, method.toUpperCase()), path),
    el("p", {}, op.summary || ""), op.description && el("p", { class: "about" }, op.description),
    params.length > 0 && [el("h4", {}, "Parameters"), el("table", {}, el("tbody", {}, params.map((p) => el("tr", {},
      el("td", {}, el("code", {}, p.name), p.required && " *"), el("td", {}, el("em", {}, p.in)), el("td", {}, el("em", {}, typeName(p.schema))), el("td", {}, p.description || "")))))],
    types.length > 0 && [el("h4", {}, "Body"), types.map(([type, t]) => [el("p", { class: "about" }, el("code", {}, type), " ", typeName(t.schema)), fields(doc, t.schema)])],
    el("h4", {}, "Answers"),
    Object.entries(op.responses).filter(([code]) => code !== "default").map(([code, r]) => {
      r = deref(doc, r);
      const [type, content] = Object.entries(r.content || {})[0] || [];
      const inner = content && fields(doc, content.schema);
      return [el("p", {}, el("b", {}, code), " ", r.description || "", type && [" ", el("code", {}, type), " ", el("em", {}, typeName(content.schema))]),
        inner && el("details", {}, el("summary", {}, "fields"), inner)];
    }),
    el("h4", {}, "Try it"), copyable(curl(path, method, op)));
}

function draw(doc) {
  const groups = new Map(doc.tags.map((t) => [t.name, { about: t.description, ops: [] }]));
  for (const [path, item] of Object.entries(doc.paths)) {
    for (const method of methods) {
      if (!item[method]) continue;
      const tag = item[method].tags[0];
      if (!groups.has(tag)) groups.set(tag, { ops: [] });
      groups.get(tag).ops.push([path, method, item[method]]);
    }
  }
  fill($("toc"), [...groups].map(([name, g]) => [el("b", {}, name), el("ul", {}, g.ops.map(([path, method, op]) =>
    el("li", {}, el("a", { href: "#" + op.operationId }, method.toUpperCase() + " " + path))))]), el("b", {}, "Errors"), el("ul", {}, el("li", {}, el("a", { href: "#Problem" }, "Problem"))));
  fill($("main"), el("h1", {}, doc.info.title, " ", el("small", { class: "about" }, doc.info.version)), el("p", { class: "lead" }, doc.info.description),
    [...groups].map(([name, g]) => el("section", {}, el("h2", {}, name), g.about && el("p", { class: "about" }, g.about), g.ops.map((o) => operation(doc, ...o)))),
    el("section", { id: "Problem" }, el("h2", {}, "Errors"), el("p", { class: "about" }, "Every answer from 400 up, as application/problem+json."),
      el("article", { class: "op" }, fields(doc, { $ref: "#/components/schemas/Problem" }))));
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

call("/openapi.json").then(draw).catch(complain);
