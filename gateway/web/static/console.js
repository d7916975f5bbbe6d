// The console: joins the parts of the page.
import { call, complain } from "./api.js";
import { $, el, fill } from "./dom.js";
import { older, refresh } from "./gallery.js";
import { upload } from "./uploads.js";

const drop = $("drop"), preset = $("preset");
let presets = [];

function take(files) {
  const variants = $("variants").value.split("\n").map((v) => v.trim()).filter(Boolean);
  for (const file of files) upload(file, { preset: preset.value, variants }, () => refresh().catch(complain));
}

$("files").addEventListener("change", (e) => { take(e.target.files); e.target.value = ""; });
for (const type of ["dragenter", "dragover"]) drop.addEventListener(type, (e) => { e.preventDefault(); drop.classList.add("over"); });
for (const type of ["dragleave", "drop"]) drop.addEventListener(type, () => drop.classList.remove("over"));
drop.addEventListener("drop", (e) => { e.preventDefault(); take(e.dataTransfer.files); });
// A picture dropped beside the zone must not replace the page.
for (const type of ["dragover", "drop"]) window.addEventListener(type, (e) => e.preventDefault());

preset.addEventListener("change", () => {
  const p = presets.find((p) => p.name === preset.value);
  $("preset-about").textContent = p ? `${p.description ? p.description + " " : ""}(${p.recipe.variants.map((v) => v.name).join(", ")})` : "";
});

$("more").addEventListener("click", () => older().catch(complain));

async function loadPresets() {
  presets = (await call("/v1/presets")).presets;
  preset.append(...presets.map((p) => el("option", { value: p.name }, p.name)));
}

async function loadNodes() {
  const { nodes } = await call("/v1/nodes");
  fill($("nodes").tBodies[0], nodes.map((n) => el("tr", {},
    el("td", {}, n.service), el("td", { class: "mono" }, n.id), el("td", { class: "mono" }, n.address), el("td", {}, n.version),
    el("td", {}, el("span", { class: "state " + ({ ready: "good", silent: "bad" }[n.state] ?? "wait") }, stateOf(n))),
    el("td", {}, n.heartbeat_age ? n.heartbeat_age + " ago" : "\u2013"), el("td", {}, loadOf(n)),
    el("td", {}, (n.leads ?? []).map((t) => t.duty).join(", ")))));
}

function stateOf(n) {
  return n.state.replace("_", " ") + (n.last_answer_age ? ` for ${n.last_answer_age}` : "");
}

// Of how many slots, where there are any, and how much waits for one.
function loadOf(n) {
  if (n.in_flight === undefined) return "\u2013";
  return n.in_flight + (n.slots ? ` of ${n.slots}` : "") + (n.waiting ? `, ${n.waiting} waiting` : "");
}

async function loadReady() {
  const ready = $("ready");
  try {
    const r = await fetch("/readyz");
    ready.textContent = r.ok ? "ready" : "not ready";
    ready.className = "state " + (r.ok ? "good" : "wait");
  } catch {
    ready.textContent = "no answer";
    ready.className = "state bad";
  }
}

loadReady();
refresh().catch(complain);
loadPresets().catch(complain);
loadNodes().catch(complain);
setInterval(() => {
  if (document.hidden) return;
  loadReady();
  loadNodes().catch(() => {}); // loadReady shows that nobody answers
}, 5000);
