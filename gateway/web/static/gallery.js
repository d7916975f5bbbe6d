// The originals: newest first, with thumbnails made on the fly, and everything about one of them in a dialog.
import { call, complain, describe } from "./api.js";
import { $, bytes, el, extension, fill } from "./dom.js";
import { results } from "./uploads.js";

let next = "";

// refresh shows the newest page.
export async function refresh() {
  const page = await call("/v1/images?page_size=24");
  fill($("gallery"), page.images.map(card));
  $("empty").hidden = page.images.length > 0;
  onwards(page);
}

// older adds the page after what is shown.
export async function older() {
  const page = await call("/v1/images?page_size=24&page_token=" + encodeURIComponent(next));
  $("gallery").append(...page.images.map(card));
  onwards(page);
}

function onwards(page) {
  next = page.next_page_token;
  $("more").hidden = !next;
}

const fly = (image, options, ext) => `/i/${options ? options + "/" : ""}${image.id}.${ext}`;

// picture falls back to words where a thumbnail is not to be had: addresses may need a signature.
function picture(src, alt, instead) {
  const img = el("img", { src, alt, loading: "lazy", decoding: "async" });
  img.addEventListener("error", () => img.replaceWith(instead));
  return img;
}

function card(image) {
  const label = image.filename || image.id;
  return el("li", {}, el("button", { type: "button", onclick: () => show(image).catch(complain) },
    el("span", { class: "frame" }, picture(fly(image, "w_360,h_360,c_fill,g_auto,q_70", "webp"), "", image.format)),
    el("span", { class: "caption" }, el("b", { title: label }, label), el("span", { title: bytes(image.size) }, `${image.width}×${image.height} · ${image.format}`))));
}

async function show(image) {
  const { jobs } = await call("/v1/jobs?image_id=" + encodeURIComponent(image.id));
  const dialog = $("detail");
  const original = `/v1/images/${image.id}/original`;
  const facts = { "Id": image.id, "Size": `${image.width}×${image.height}, ${bytes(image.size)}`, "Format": image.content_type,
    "Frames": image.pages > 1 ? image.pages : null, "Transparency": image.has_alpha ? "yes" : null,
    "Uploaded": new Date(image.create_time).toLocaleString(), "SHA-256": image.digest };
  fill(dialog,
    el("div", { class: "dialog-top" }, el("h2", { id: "detail-title" }, image.filename || image.id),
      el("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Close")),
    flying(image),
    el("h3", {}, "The original"),
    el("dl", {}, Object.entries(facts).filter(([, v]) => v !== null).map(([k, v]) => [el("dt", {}, k), el("dd", { class: k === "Id" || k === "SHA-256" ? "mono" : "" }, String(v))])),
    el("div", { class: "row" }, el("a", { class: "button quiet", href: original }, "Open"), el("a", { class: "button quiet", href: original + "?download=true" }, "Download"),
      el("button", { type: "button", class: "quiet", onclick: () => remove(image, dialog).catch(complain) }, "Delete")),
    jobs.map(job));
  dialog.showModal();
}

// flying is the picture under options that can be changed.
function flying(image) {
  const ext = ["jpeg", "png", "webp", "avif", "gif"].includes(image.format) ? extension(image.format) : "jpg";
  const frame = el("div", { class: "preview" });
  const options = el("input", { type: "text", id: "fly", spellcheck: false, autocomplete: "off", "aria-label": "Options of the URL grammar", value: "w_1200,c_limit" });
  const link = el("a", { class: "mono" });
  const make = async () => {
    const src = fly(image, options.value.trim(), ext);
    link.href = src;
    link.textContent = src;
    const img = el("img", { alt: image.filename || image.id });
    img.onload = () => fill(frame, img);
    img.onerror = () => call(src).catch((problem) => fill(frame, el("div", { class: "problem" }, describe(problem))));
    img.src = src;
  };
  make();
  return [frame, el("form", { class: "fly row", onsubmit: (e) => { e.preventDefault(); make(); } }, options, el("button", {}, "Make")), el("p", { class: "about" }, link)];
}

function job(j) {
  const kind = { SUCCEEDED: "good", FAILED: "bad", DEAD: "bad" }[j.state] || "wait";
  const failed = ["FAILED", "CANCELLED", "DEAD"].includes(j.state);
  const state = el("span", { class: "state " + kind }, j.state.toLowerCase());
  return el("section", {}, el("h3", {}, j.preset ? `Job “${j.preset}” ` : "Job ", state),
    j.failure && el("p", { class: "about" }, j.failure.message),
    j.results.length > 0 && results(j),
    failed && el("button", { type: "button", class: "quiet", onclick: () => call(`/v1/jobs/${j.id}:retry`, { method: "POST" })
      .then((now) => { state.textContent = now.state.toLowerCase(); state.className = "state wait"; }).catch(complain) }, "Try again"));
}

async function remove(image, dialog) {
  if (!confirm(`Delete ${image.filename || image.id} and everything made from it?`)) return;
  await call(`/v1/images/${image.id}`, { method: "DELETE" });
  dialog.close();
  await refresh();
}
