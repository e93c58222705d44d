// Counts the faces that are ticked, ticks all, and with Shift ticks (or unticks) everything in between. What can be done
// with them is only offered when there are some.

const form = document.getElementById("sort");
const boxes = [...form.querySelectorAll("[name=face_id]")];
const count = document.getElementById("ticked");
const all = document.getElementById("all");
let last = null;

function show() {
  const ticked = boxes.filter((box) => box.checked).length;
  count.textContent = ticked ? `${ticked.toLocaleString("en-GB")} ticked` : "None ticked";
  form.classList.toggle("some", ticked > 0);
  if (all) all.textContent = ticked === boxes.length ? "Tick none" : "Tick all";
}

function fill(from, to, checked) {
  const [first, end] = [boxes.indexOf(from), boxes.indexOf(to)].sort((a, b) => a - b);
  for (const box of boxes.slice(first, end + 1)) box.checked = checked;
}

for (const box of boxes) {
  // The click comes before the change, and only it knows of the key.
  let range = false;
  box.addEventListener("click", (event) => { range = event.shiftKey; });
  box.addEventListener("change", () => {
    if (range && last) fill(last, box, box.checked);
    last = box;
    show();
  });
}

all?.addEventListener("click", () => {
  const checked = boxes.some((box) => !box.checked);
  for (const box of boxes) box.checked = checked;
  show();
});

form.classList.add("live");
show();
window.addEventListener("pageshow", show);
