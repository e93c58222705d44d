// A field for a name that offers the people there are, with their faces: a combobox as the ARIA practices describe it.

const SHOWN = 8;
const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().trim();
let asked = null;

// Asked once; a failure leaves a plain field.
async function people() {
  asked ??= fetch("/people/", { headers: { Accept: "application/json" } })
    .then((answer) => (answer.ok ? answer.json() : { people: [] }))
    .then(({ people: all }) => all.map((person) => ({ ...person, plain: plain(person.name) })))
    .catch(() => { asked = null; return []; });
  return asked;
}

export const askAgain = () => { asked = null; };

// Who begins so comes first, then whose second name does, then who has it anywhere; the best known first.
function matching(all, words) {
  const rank = ({ plain: name }) => (name.startsWith(words) ? 0 : name.includes(` ${words}`) ? 1 : name.includes(words) ? 2 : 3);
  const found = all.map((person) => ({ person, rank: rank(person) })).filter((each) => each.rank < 3);
  return found.sort((a, b) => a.rank - b.rank || b.person.count - a.person.count).slice(0, SHOWN).map((each) => each.person);
}

function option(person, id) {
  const item = document.createElement("li");
  const face = new Image(36, 36);
  const name = document.createElement("bdi");
  const count = document.createElement("span");
  Object.assign(item, { id, className: "combo-option", role: "option", ariaSelected: "false" });
  item.dataset.name = person.name;
  Object.assign(face, { src: person.cover, alt: "", className: "thumb" });
  name.textContent = person.name;
  name.className = "clip";
  count.textContent = person.count === 1 ? "1 face" : `${person.count.toLocaleString("en-GB")} faces`;
  count.className = "muted hint";
  item.append(face, name, count);
  return item;
}

export function suggestNames(field) {
  const list = document.createElement("ul");
  let active = -1;
  list.id = `${field.id}-people`;
  Object.assign(list, { className: "combo-list", role: "listbox", ariaLabel: "People", hidden: true });
  field.removeAttribute("list");
  for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-expanded", "false"], ["aria-controls", list.id]]) field.setAttribute(name, value);
  field.after(list);

  function mark(place) {
    active = place;
    [...list.children].forEach((item, number) => { item.ariaSelected = String(number === place); });
    if (place < 0) return field.removeAttribute("aria-activedescendant");
    field.setAttribute("aria-activedescendant", list.children[place].id);
    list.children[place].scrollIntoView({ block: "nearest" });
  }

  function show(open) {
    list.hidden = !open;
    field.setAttribute("aria-expanded", String(open));
    mark(-1);
  }

  async function offer() {
    const words = plain(field.value);
    const found = words ? matching(await people(), words) : [];
    if (words !== plain(field.value) || document.activeElement !== field) return;
    list.replaceChildren(...found.map((person, number) => option(person, `${list.id}-${number}`)));
    show(found.length > 0);
  }

  function take(item) {
    field.value = item.dataset.name;
    show(false);
  }

  field.addEventListener("focus", people);
  field.addEventListener("input", offer);
  field.addEventListener("blur", () => show(false));
  field.addEventListener("keydown", (event) => {
    const count = list.children.length;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (list.hidden) return void offer();
      event.preventDefault();
      event.stopPropagation();
      const step = event.key === "ArrowDown" ? 1 : -1;
      mark(active < 0 ? (step > 0 ? 0 : count - 1) : (active + step + count) % count);
    } else if (event.key === "Enter" && active >= 0) {
      take(list.children[active]); // and the form goes its way
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      show(false);
    }
  });
  // Before the field loses the focus, which would close the list.
  list.addEventListener("pointerdown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const item = event.target.closest(".combo-option");
    if (!item) return;
    take(item);
    field.focus();
  });
}
