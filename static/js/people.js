// Hides the people whose names do not contain what is typed. Accents and capitals do not matter. Where there are more
// pages than one, the form asks the server instead.

const search = document.getElementById("search");
const list = document.getElementById("people");
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

if (search && list && search.dataset.pages === "1" && !new URLSearchParams(location.search).get("q")) {
  const cards = [...list.children].map((item) => ({ item, name: plain(item.querySelector("bdi").textContent) }));
  const field = document.getElementById("filter");
  field.addEventListener("input", () => filter(cards, plain(field.value)));
  search.classList.add("live");
  if (field.value) filter(cards, plain(field.value));
}
