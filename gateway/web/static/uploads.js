// Uploads: files go up one after the other, with progress; their jobs are followed as events come.
import { describe, problemFrom } from "./api.js";
import { $, bytes, el, fill } from "./dom.js";

const ended = { SUCCEEDED: "good", FAILED: "bad", DEAD: "bad", CANCELLED: "wait" };

let queue = Promise.resolve();

// upload begins one file; done is called when it is registered and again when its job has ended.
export function upload(file, options, done) {
  const item = row(file);
  $("uploads").prepend(item.node);
  queue = queue.then(() => send(file, options, item)).then((answer) => {
    done();
    if (answer.job) follow(answer.job.id, item, done);
    else item.tell("stored", "good");
  }).catch((problem) => item.fail(problem));
}

function row(file) {
  const state = el("span", { class: "state wait", role: "status" }, "waiting");
  const bar = el("progress", { max: 1, value: 0, "aria-label": "Progress of " + file.name });
  const body = el("div");
  const stop = el("button", { type: "button", class: "quiet" }, "Stop");
  const node = el("li", { class: "upload-item" },
    el("header", {}, el("span", { class: "name" }, file.name), el("span", { class: "about" }, bytes(file.size)), state, stop), bar, body);
  return {
    node, stop, body,
    progress(part) { bar.value = part; },
    tell(text, kind, busy) {
      state.textContent = text;
      state.className = "state " + kind + (busy ? " busy" : "");
      if (!busy) { bar.remove(); stop.remove(); }
    },
    fail(problem) {
      this.tell("failed", "bad");
      fill(body, el("div", { class: "problem" }, describe(problem)));
    },
  };
}

// send uses XMLHttpRequest, for fetch does not tell how far an upload has come.
function send(file, { preset, variants }, item) {
  const query = new URLSearchParams();
  if (preset) query.set("preset", preset);
  for (const v of variants) query.append("variants", v);
  return new Promise((resolve, reject) => {
    const x = new XMLHttpRequest();
    x.open("POST", "/v1/images" + (query.size ? "?" + query : ""));
    x.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    x.setRequestHeader("X-Filename", encodeURIComponent(file.name));
    x.setRequestHeader("Idempotency-Key", crypto.randomUUID ? crypto.randomUUID() : String(Math.random()) + Date.now());
    x.upload.onprogress = (e) => { item.progress(e.loaded / e.total); item.tell(e.loaded < e.total ? "uploading" : "storing", "wait", true); };
    x.onload = () => (x.status === 201 ? resolve(JSON.parse(x.responseText)) : reject(problemFrom(x.status, x.responseText)));
    x.onerror = () => reject(problemFrom(x.status, x.responseText));
    x.onabort = () => reject(Object.assign(problemFrom(0, ""), { document: { title: "Stopped", detail: "The upload was stopped here." } }));
    item.stop.onclick = () => x.abort();
    item.tell("uploading", "wait", true);
    x.send(file);
  });
}

function follow(id, item, done) {
  item.tell("queued", "wait", true);
  item.progress(1);
  const events = new EventSource(`/v1/jobs/${id}/events`);
  item.stop.textContent = "Cancel";
  item.stop.onclick = () => fetch(`/v1/jobs/${id}:cancel`, { method: "POST" });
  for (const name of ["queued", "running", "succeeded", "failed", "cancelled", "dead"]) {
    events.addEventListener(name, async (e) => {
      const event = JSON.parse(e.data);
      const end = ended[event.state];
      item.tell(name + (event.attempt > 1 ? `, attempt ${event.attempt}` : ""), end || "wait", !end);
      if (!end) return;
      events.close();
      if (event.failure) fill(item.body, el("div", { class: "problem" }, describe({ document: { title: event.failure.message, reason: event.failure.reason } })));
      const job = await fetch(`/v1/jobs/${id}`).then((r) => r.json());
      if (event.state === "SUCCEEDED") item.body.append(results(job));
      done();
    });
  }
}

// results lists what a job made.
export function results(job) {
  return el("ul", { class: "results" }, job.results.map((r) => {
    const href = `/v1/images/${job.image_id}/variants/${encodeURIComponent(r.name)}`;
    return el("li", {},
      el("a", { href }, el("img", { src: href, alt: "The variant " + r.name, loading: "lazy" })),
      el("div", {}, el("b", {}, r.name), el("span", {}, `${r.width}×${r.height} · ${r.format}`), el("br"), el("span", {}, bytes(r.size) + " · "),
        el("a", { href: href + "?download=true", "aria-label": "Download " + r.name }, "download")));
  }));
}
