// Sends a backup and shows how far it is: it may be as large as the disk takes. The page stays where it is; what has
// come in appears in the list.

const $ = (id) => document.getElementById(id);
const form = $("bring");
const token = document.querySelector('meta[name="csrf-token"]').content;
const count = (n, one) => `${n.toLocaleString("en")} ${n === 1 ? one : `${one}s`}`;
const megabytes = (bytes) => Math.ceil(bytes / 1e6).toLocaleString("en");
const TOO_MUCH = "What stands before the server would not let the file through. Nothing was kept.";
let busy = false;

function show(phase, share) {
  // Written only when it changes: a screen reader speaks every write.
  if ($("bring-phase").textContent !== phase) $("bring-phase").textContent = phase;
  const percent = Math.floor(share * 100);
  $("bring-percent").textContent = Number.isNaN(percent) ? "" : `${percent}%`;
  if (Number.isNaN(percent)) $("bring-progress").removeAttribute("value");
  else $("bring-progress").value = percent;
}

function tell(id, words) {
  for (const each of ["bring-refused", "bring-done"]) $(each).hidden = each !== id;
  if (id) $(id).querySelector("span").textContent = words;
}

/** Resolve to {status, answer}; status 0 where none came. */
function send(file) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const body = new FormData();
    const phase = `Sending ${megabytes(file.size)} MB`;
    body.append("file", file);
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRFToken", token);
    request.upload.onprogress = (event) => show(phase, event.total ? event.loaded / event.total : NaN);
    request.upload.onload = () => show("Checking that all of it is right…", NaN);
    request.onloadend = () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { /* no answer, or a proxy's own page */ }
      resolve({ status: request.status, answer });
    };
    show(phase, 0);
    request.send(body);
  });
}

async function listAnew() {
  const answer = await fetch("/admin/", { headers: { Accept: "text/html" }, cache: "no-store" });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const list = page.getElementById("backup-list");
  if (list) $("backup-list").replaceWith(list);
}

async function bringIn(file) {
  const { status, answer } = await send(file);
  if (status === 201) {
    await listAnew().catch(() => {});  // the next look at the page will show it
    form.reset();
    tell("bring-done", `It is in: ${count(answer.photos, "photo")} and ${count(answer.faces, "face")}. It heads the list, and is restored from there.`);
  } else tell("bring-refused", answer.message ?? (status ? TOO_MUCH : "The connection broke. Nothing was kept: try again."));
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const [file] = $("bring-file").files;
  if (busy) return;
  if (file.size > Number(form.dataset.room)) {
    tell("bring-refused", form.dataset.tooLarge);
    return;
  }
  busy = true;
  tell(null);
  $("bring-state").hidden = false;
  // Not disabled: it would lose the focus.
  $("bring-button").setAttribute("aria-disabled", "true");
  await bringIn(file);
  $("bring-button").removeAttribute("aria-disabled");
  $("bring-state").hidden = true;
  busy = false;
});
window.addEventListener("beforeunload", (event) => { if (busy) event.preventDefault(); });
