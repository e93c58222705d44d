// Ties each face's card to its box, and lets the keyboard do all of it.

import { suggestNames } from "./names.js";

const cards = [...document.querySelectorAll(".face")];
const boxes = new Map(cards.map((card) => [card, document.querySelector(`.box[href="#${card.id}"]`)]));
const CONTROLS = "button, summary, input:not([type=hidden])";
const WAITING = 1500;

const undecided = () => cards.find((card) => card.matches(".face-inbox"));
const current = () => cards.find((card) => card.contains(document.activeElement)) ?? undecided() ?? cards[0];
// In an empty field the arrows still move from face to face; anything else is the writer's.
const typing = ({ target, key }) => target.matches("input") && (target.value !== "" || !key.startsWith("Arrow"));

function light(card, on) {
  card.classList.toggle("lit", on);
  boxes.get(card)?.classList.toggle("lit", on);
}

function enter(card) {
  card?.querySelector(CONTROLS)?.focus();
  card?.scrollIntoView({ block: "nearest" });
}

function move(by) {
  const here = cards.findIndex((card) => card.contains(document.activeElement));
  enter(here < 0 ? current() : cards[Math.min(cards.length - 1, Math.max(0, here + by))]);
}

function typeName() {
  const card = current();
  card?.querySelector("details")?.setAttribute("open", "");
  card?.querySelector(".field")?.focus();
}

function agree() {
  const yes = undecided()?.querySelector(".yes");
  if (yes) yes.click();
  else enter(undecided());
}

const KEYS = { ArrowDown: () => move(1), j: () => move(1), ArrowUp: () => move(-1), k: () => move(-1), n: typeName };

for (const [card, box] of boxes) {
  for (const element of [card, box]) {
    for (const type of ["mouseenter", "focusin"]) element?.addEventListener(type, () => light(card, true));
    // Scrolling moves things from under the mouse: what has the focus stays lit all the same.
    const keep = () => light(card, [card, box].some((each) => each?.contains(document.activeElement)));
    for (const type of ["mouseleave", "focusout"]) element?.addEventListener(type, keep);
  }
  box?.addEventListener("click", () => requestAnimationFrame(() => enter(card)));
}

for (const field of document.querySelectorAll(".combo .field")) suggestNames(field);

// An address that names a face keeps the browser from autofocus.
const named = cards.find((card) => `#${card.id}` === location.hash && card.matches(".face-inbox"));
if (named && document.activeElement === document.body) named.querySelector(CONTROLS).focus({ preventScroll: true });

// Autofocus may have come before this script.
for (const card of cards) if (card.contains(document.activeElement)) light(card, true);

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event)) return;
  const free = event.target === document.body || event.target.id === "main";
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const act = key === "Enter" && free ? agree : KEYS[key];
  if (!act || !cards.length) return;
  event.preventDefault();
  act();
});

// A second press while the first is on its way would only be answered with "already decided".
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

if (document.getElementById("photo").dataset.state === "pending") setTimeout(() => location.reload(), WAITING);
