// Answers without loading the page anew: the form is sent, and what comes back takes the place of what is there. The
// page itself stays, so that a failed request loses nothing.

import { followKeys } from "./review_keys.js";
import { countTicks, tickAll } from "./review_ticks.js";
import { openPeek } from "./review_peek.js";
import { askAgain, suggestNames } from "./names.js";

const AGAIN_MS = 4000;
const PICTURES_MS = 400;
const main = document.getElementById("main");
const $ = (id) => document.getElementById(id);
let busy = false;
let timer;

function tell(words) {
  $("trouble").querySelector("span").textContent = words;
  $("trouble").hidden = words === "";
}

function settle() {
  document.documentElement.classList.add("live");
  for (const field of main.querySelectorAll("[data-people]")) suggestNames(field);
  countTicks();
  // Keys are pressed on a face. A finger needs no focus, but whoever listens is told where the page begins again.
  const face = matchMedia("(pointer: fine)").matches ? $("review")?.querySelector("[name=face_id]") : null;
  (face ?? main).focus({ preventScroll: true });
  watch();
}

// The pictures of the next group come first, but nobody waits for a slow one.
function pictures(page) {
  const loading = [...page.querySelectorAll(".offer img")].slice(0, 24).map((each) => {
    const picture = new Image();
    picture.src = each.getAttribute("src");
    return picture.decode().catch(() => {});
  });
  return Promise.race([Promise.all(loading), new Promise((done) => setTimeout(done, PICTURES_MS))]);
}

async function load(request) {
  const answer = await fetch(request.url, { ...request, headers: { Accept: "text/html" }, cache: "no-store" });
  if (new URL(answer.url).pathname === "/login/") {
    location.assign(answer.url);
    await new Promise(() => {});  // nothing here is of use any more
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!answer.ok) throw new Error(page.getElementById("message")?.textContent ?? "");
  return page;
}

function swap(page) {
  main.replaceChildren(...page.getElementById("main").childNodes);
  const badge = page.getElementById("inbox");
  if (badge && $("inbox")) $("inbox").replaceWith(badge);
  else $("inbox")?.remove();
  scrollTo(0, 0);
  settle();
}

async function send(form, submitter) {
  if (busy) return;
  busy = true;
  tell("");
  main.setAttribute("aria-busy", "true");
  try {
    const body = new URLSearchParams(new FormData(form, submitter));
    const page = await load({ url: form.getAttribute("action"), method: "POST", body });
    await pictures(page);
    askAgain();
    swap(page);
  } catch (error) {
    const offline = error instanceof TypeError;
    tell(offline ? "The answer did not arrive. Nothing is lost: try again." : error.message || "That did not work. Try again.");
    $("trouble").scrollIntoView({ block: "nearest" });
  } finally {
    busy = false;
    main.removeAttribute("aria-busy");
  }
}

// Only what says how much is left changes while somebody is at work on a group.
async function lookAgain() {
  try {
    const answer = await fetch("/review/", { headers: { Accept: "application/json" }, cache: "no-store" });
    const { group, remaining, searching } = await answer.json();
    if (busy) return watch();
    if (!$("review") && (group || !searching)) return swap(await load({ url: "/review/" }));
    if ($("left")) {
      $("left").querySelector("strong").textContent = remaining.decisions.toLocaleString("en-GB");
      $("left").querySelector(".hint").textContent = `for ${remaining.faces.toLocaleString("en-GB")} faces`;
    }
    if (!searching) $("coming")?.remove();
  } catch { /* The next look may fare better. */ }
  watch();
}

function watch() {
  clearTimeout(timer);
  if ($("coming")) timer = setTimeout(lookAgain, AGAIN_MS);
}

main.addEventListener("submit", (event) => {
  if (event.target.method === "dialog") return;
  event.preventDefault();
  send(event.target, event.submitter);
});
main.addEventListener("change", countTicks);
main.addEventListener("click", (event) => {
  const link = event.target.closest?.(".peek");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) openPeek(event, link);
  if (event.target.closest?.("#help-button")) $("help").showModal();
  if (event.target.closest?.("#all")) tickAll();
});
followKeys();
settle();
