// The button says what the ticks come to.

const $ = (id) => document.getElementById(id);
const faces = () => [...document.querySelectorAll("#review [name=face_id]")];

const asked = (count, all) => {
  if (!count) return "None of them is ";
  if (all) return count === 1 ? "Yes, this is " : `Yes, all ${count} are `;
  return count === 1 ? "Yes, only this is " : `Yes, these ${count} are `;
};

export function countTicks() {
  const form = $("review");
  if (!form) return;
  const boxes = faces();
  const ticked = boxes.filter((each) => each.checked).length;
  const name = form.dataset.name;
  if ($("yes") && name) {
    const who = document.createElement("bdi");
    who.textContent = name;
    $("yes").replaceChildren(asked(ticked, ticked === boxes.length), who);
  } else if ($("yes")) {
    $("yes").textContent = ticked === boxes.length ? "Ignore them all" : `Ignore ${ticked}, ask about ${boxes.length - ticked} later`;
  }
  if ($("all")) $("all").firstChild.textContent = ticked ? "Tick none" : "Tick all";
}

export function tickAll() {
  const some = faces().some((each) => each.checked);
  for (const box of faces()) box.checked = !some;
  countTicks();
}
