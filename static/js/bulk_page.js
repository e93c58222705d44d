// Shows a bulk upload: how much is stored, what was refused, and how the search for faces goes on.

const EVERY_MS = 1000;
const $ = (id) => document.getElementById(id);
const number = (n) => n.toLocaleString("en");
const count = (n, one) => `${number(n)} ${n === 1 ? one : `${one}s`}`;

function left(seconds) {
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 10) return "a few seconds left";
  if (seconds < 90) return `about ${Math.round(seconds / 10) * 10} seconds left`;
  return `about ${Math.round(seconds / 60)} minutes left`;
}

/** Written only when it changes: a screen reader speaks every write. */
function say(id, words) {
  if ($(id).textContent !== words) $(id).textContent = words;
}

function counts({ known, refused }) {
  const said = [];
  if (known) said.push(`${number(known)} ${known === 1 ? "was" : "were"} here already`);
  if (refused.length) said.push(`${number(refused.length)} ${refused.length === 1 ? "was" : "were"} refused`);
  return said.join(", ");
}

function note({ over, stored, broken }, job) {
  if (broken && !over) return "The connection broke. Trying again…";
  if (!over) return "Keep this page open until all photos are stored.";
  if (!stored) return "";
  return job ? "You can close this page: the faces are looked for without it." : "Nothing new had to be looked at.";
}

function list(refused) {
  const rows = $("bulk-refused").querySelector("dl");
  for (const { name, why } of refused.slice(rows.childElementCount)) {
    const row = document.createElement("div");
    for (const [tag, words] of [["dt", name], ["dd", why]]) {
      const cell = document.createElement(tag);
      cell.textContent = words;
      row.append(cell);
    }
    row.firstChild.className = "break";
    rows.append(row);
  }
  $("bulk-refused").hidden = !refused.length;
  say("bulk-refused-title", refused.length === 1 ? "Which was refused, and why" : "Which were refused, and why");
}

let followed = null;
let latest = null;

export function show(state, job) {
  latest = state;
  const { total, stored, refused, bytes, sent, flying, started, over } = state;
  const share = bytes ? (sent + flying) / bytes : 1;
  $("bulk").hidden = false;
  $("waiting")?.setAttribute("hidden", "");
  say("bulk-phase", over ? `${count(stored, "photo")} of ${number(total)} stored` : `Storing ${number(stored)} of ${count(total, "photo")}`);
  say("bulk-left", over || share < 0.02 ? "" : left(((Date.now() - started) / 1000) * (1 / share - 1)));
  $("bulk-progress").value = Math.round((over ? 1 : share) * 100);
  say("bulk-counts", counts(state));
  say("bulk-note", note(state, job));
  list(refused);
  // Not before: who follows it on the way would leave the photos that are still to come.
  $("bulk-next").hidden = !over || !stored;
  $("bulk-job-link").hidden = !job;
  if (job) $("bulk-job-link").href = job;
  if (job && followed !== job) {
    followed = job;
    follow(job);
  }
}

async function follow(job) {
  let ended = false;
  try {
    const answer = await fetch(job, { headers: { Accept: "application/json" }, cache: "no-store" });
    if (answer.ok) ended = showJob(await answer.json());
  } catch { /* asked again */ }
  if (ended && latest.over) followed = null;
  else if (followed === job) setTimeout(follow, EVERY_MS, job);
}

function showJob({ state, done, total, message, eta_s: seconds }) {
  const ended = state === "done" || state === "failed";
  $("bulk-job").hidden = false;
  say("bulk-job-phase", ended ? message : `Looking for faces: ${number(done)} of ${count(total, "photo")}`);
  say("bulk-job-left", ended ? "" : left(seconds ?? NaN));
  $("bulk-job-progress").max = total || 1;
  $("bulk-job-progress").value = done;
  return ended;
}
