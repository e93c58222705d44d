// Follows a job until it ends, without reloading the page.

const EVERY_MS = 500;
const PATIENCE_MS = 5000;
const STATES = { queued: "Waiting to start", running: "Under way", done: "Done", failed: "Failed" };
const $ = (id) => document.getElementById(id);

function eta(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 10) return "a few seconds left";
  if (seconds < 90) return `about ${Math.round(seconds / 10) * 10} seconds left`;
  return `about ${Math.round(seconds / 60)} minutes left`;
}

function show(job) {
  const finished = job.state === "done" || job.state === "failed";
  const share = job.total ? job.done / job.total : Number(job.state === "done");
  const bar = $("job-progress");
  $("job").dataset.state = job.state;
  // Written only when it changes: a screen reader speaks every write.
  if ($("job-state").textContent !== STATES[job.state]) $("job-state").textContent = STATES[job.state];
  $("job-message").textContent = job.message ?? "";
  $("job-eta").textContent = finished ? "" : eta(job.eta_s);
  // A bar that was full when it failed would read like success.
  const failed = job.state === "failed";
  bar.hidden = failed;
  $("job-count").textContent = job.total && !failed ? `${job.done.toLocaleString("en")} of ${job.total.toLocaleString("en")}` : "";
  $("job-percent").textContent = failed ? "" : `${Math.round(share * 100)}%`;
  if (job.total || finished) {
    bar.max = job.total || 1;
    bar.value = job.total ? job.done : share;
  }
  $("job-done").hidden = job.state !== "done";
  $("job-failed").hidden = job.state !== "failed";
  if (Array.isArray(job.result?.skipped) && job.result.skipped.length) list(job.result.skipped);
  return finished;
}

function list(skipped) {
  const rows = skipped.map(([file, why]) => {
    const row = document.createElement("div");
    for (const [tag, words] of [["dt", file], ["dd", why]]) {
      const cell = document.createElement(tag);
      cell.textContent = words;
      row.append(cell);
    }
    row.firstChild.className = "break";
    return row;
  });
  $("job-skipped").querySelector("dl").replaceChildren(...rows);
  $("job-skipped").hidden = false;
}

async function follow() {
  let wait = EVERY_MS;
  try {
    const answer = await fetch(location.pathname, { headers: { Accept: "application/json" }, cache: "no-store" });
    if (answer.ok && show(await answer.json())) return;
    if (!answer.ok) wait = PATIENCE_MS;
  } catch {
    wait = PATIENCE_MS;
  }
  setTimeout(follow, wait);
}

follow();
