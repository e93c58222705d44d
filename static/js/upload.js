// Sends a few photos one after another in the order chosen, and shows what was found in each; many go in bulk.

import { Bulk } from "./bulk.js";
import { show as showBulk } from "./bulk_page.js";
import { chosen, dropped } from "./folders.js";

const $ = (id) => document.getElementById(id);
const form = $("upload");
const token = document.querySelector('meta[name="csrf-token"]').content;
const maxMb = Number(form.dataset.maxMb);
const MANY = 12;
const queue = [];
const links = [];
const bulk = new Bulk(form, token, (state) => showBulk(state, bulk.job));
let busy = false;
let finished = 0;

const count = (n, one) => `${n} ${n === 1 ? one : `${one}s`}`;

function show(phase, share) {
  const percent = Math.round(share * 100);
  if ($("queue-phase").textContent !== phase) $("queue-phase").textContent = phase;
  $("queue-percent").textContent = `${percent}%`;
  $("queue-progress").value = percent;
}

/** Resolve to the answer's fields, with `message` in them when the photo was refused. */
function send(file, onSent) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const body = new FormData();
    body.append("file", file, file.name || "pasted.png");
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRFToken", token);
    request.upload.onprogress = (event) => onSent(event.total ? event.loaded / event.total : 0);
    request.upload.onload = () => onSent(1);
    request.onerror = () => resolve({ message: "The connection broke. Please try this photo again." });
    request.onload = () => {
      let answer = null;
      try { answer = JSON.parse(request.responseText); } catch { /* a proxy's own error page */ }
      const refused = { message: "The server could not take this photo. Please try again." };
      resolve(answer && (request.status < 400 || answer.message) ? answer : refused);
    };
    request.send(body);
  });
}

function report(file, answer) {
  const item = document.createElement("li");
  const line = document.createElement(answer.photo_id ? "a" : "span");
  const name = document.createElement("bdi");
  const words = document.createElement("span");
  const picture = document.createElement("img");
  const faces = answer.faces ?? [];
  if (answer.photo_id) line.href = `/photos/${answer.photo_id}/`;
  line.className = "result";
  picture.className = "thumb";
  picture.alt = "";
  picture.src = faces[0]?.thumb ?? form.dataset.unknown;
  name.textContent = file.name || "Pasted photo";
  name.className = "clip";
  words.textContent = answer.message ?? count(faces.length, "face");
  words.className = answer.message ? "bad" : "muted";
  line.append(picture, name, words);
  item.append(line);
  $("results").append(item);
  if (answer.photo_id) links.push({ url: line.href, faces: faces.length });
}

async function work() {
  busy = true;
  $("queue").hidden = false;
  $("queue-next").hidden = true;
  while (finished < queue.length) {
    const file = queue[finished];
    const which = () => (queue.length > 1 ? ` ${finished + 1} of ${queue.length}` : "");
    const tooLarge = file.size > maxMb * 1024 * 1024;
    const step = (sent) => show(
      sent < 1 ? `Uploading photo${which()}` : `Looking for faces${queue.length > 1 ? ` in photo${which()}` : ""}…`,
      (finished + sent * 0.9) / queue.length,
    );
    step(0);
    report(file, tooLarge ? { message: form.dataset.tooLarge } : await send(file, step));
    finished += 1;
  }
  busy = false;
  finish();
}

function finish() {
  // A photo without a face is kept and worth a look, but not the one to start naming with.
  const first = links.find((link) => link.faces) ?? links[0];
  show(queue.length > 1 ? `${finished} of ${queue.length} photos done` : "Done", 1);
  if (queue.length === 1 && first) location.assign(first.url);
  if (!first) return;
  $("queue-first").href = first.url;
  $("queue-next").hidden = false;
}

function add(photos) {
  if (photos.length > MANY || bulk.state.total) return bulk.add(photos);
  queue.push(...photos.map(({ file }) => file));
  return busy || finished === queue.length || work();
}

for (const input of [$("file"), $("folder"), $("camera")]) {
  input.addEventListener("change", () => { add(chosen(input.files)); input.value = ""; });
}
document.addEventListener("paste", (event) => add(chosen(event.clipboardData.files)));
document.addEventListener("dragover", (event) => { event.preventDefault(); $("drop").classList.add("over"); });
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) $("drop").classList.remove("over"); });
document.addEventListener("drop", async (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  add(await dropped(event.dataTransfer));
});
window.addEventListener("beforeunload", (event) => { if (busy || bulk.running) event.preventDefault(); });
form.classList.add("live");
