// The keys of the review page. None acts while somebody types, or with a dialog open.

const $ = (id) => document.getElementById(id);
const faces = () => [...document.querySelectorAll("#review [name=face_id]")];

function agree() {
  const field = $("label");
  const yes = document.querySelector("#review .yes");
  if (yes) yes.click();
  else if (field?.value) document.querySelector("#review .named .button").click();
  else field?.focus();
}

// Up and down go to the face that is nearest in the next row, wherever rows break.
function move(key) {
  const all = faces();
  const here = all.indexOf(document.activeElement);
  if (here < 0) return all[0]?.focus();
  if (key === "ArrowLeft" || key === "ArrowRight") return all[here + (key === "ArrowLeft" ? -1 : 1)]?.focus();
  const at = all[here].getBoundingClientRect();
  const beyond = all
    .map((face) => ({ face, box: face.getBoundingClientRect() }))
    .filter(({ box }) => (key === "ArrowUp" ? box.top < at.top - 4 : box.top > at.top + 4));
  const far = ({ box }) => Math.abs(box.top - at.top) * 1000 + Math.abs(box.left - at.left);
  beyond.sort((a, b) => far(a) - far(b))[0]?.face.focus();
}

function peek() {
  const face = faces().find((each) => each === document.activeElement) ?? faces()[0];
  face?.closest(".tick").querySelector(".peek").click();
}

function undo() {
  (document.querySelector("form.notice [name=decision_id]") ?? document.querySelector("#undo button")).click();
}

function act(key) {
  if (key.startsWith("Arrow")) move(key);
  else if (key === "Enter") agree();
  else if (key === "n") $("label")?.focus();
  else if (key === "p") peek();
  else if (key === "u") undo();
  else if (key === "?") $("help").showModal();
  else {
    const button = document.querySelector(`#review [data-key="${CSS.escape(key)}"]`);
    button?.click();
    return button !== null;
  }
  return true;
}

export function followKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat && !event.key.startsWith("Arrow")) return;
    if (document.querySelector("dialog[open]")) return;
    const target = event.target;
    if (target.matches?.(".field")) {
      if (event.key === "Escape" && !event.defaultPrevented) (faces()[0] ?? target).focus();
      return;
    }
    // Enter on a link or a button is theirs.
    if (event.key === "Enter" && target.matches?.("a, button, summary")) return;
    if (act(event.key.length === 1 ? event.key.toLowerCase() : event.key)) event.preventDefault();
  });
}
