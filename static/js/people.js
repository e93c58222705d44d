// Hides the people whose names do not contain what is typed. Accents and capitals do not matter.

const search = document.getElementById("search");
const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().trim();

function filter(cards, words) {
  let shown = 0;
  for (const { item, name } of cards) {
    item.hidden = !name.includes(words);
    shown += item.hidden ? 0 : 1;
  }
  document.getElementById("nobody").hidden = shown > 0;
  document.getElementById("filter-count").textContent = `${shown} shown`;
}

if (search) {
  const cards = [...document.querySelectorAll("#people > li")].map((item) => (
    { item, name: plain(item.querySelector("bdi").textContent) }
  ));
  const field = document.getElementById("filter");
  field.addEventListener("input", () => filter(cards, plain(field.value)));
  search.hidden = false;
  if (field.value) filter(cards, plain(field.value));
}
