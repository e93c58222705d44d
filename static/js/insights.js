// On the map of faces: a card with the face under the mouse or the focus, and arrow keys in place of hundreds of tabs.

const figure = document.getElementById("map");
const card = document.getElementById("map-hover");

function show(point) {
  card.querySelector("img").src = point.dataset.thumb;
  card.querySelector("strong").textContent = point.querySelector("title, desc").textContent;
  card.hidden = false;
  const frame = figure.getBoundingClientRect();
  const spot = point.querySelector(".spot").getBoundingClientRect();
  const left = spot.left + spot.width / 2 - frame.left - card.offsetWidth / 2;
  const above = spot.top - frame.top - card.offsetHeight - 8;
  card.style.left = `${Math.max(4, Math.min(left, frame.width - card.offsetWidth - 4))}px`;
  card.style.top = `${above < 4 ? spot.bottom - frame.top + 8 : above}px`;
}

/** The face to go to from this one: the next or previous, or the first of the next or previous person. */
function step(points, from, key) {
  const at = points.indexOf(from);
  if (key === "ArrowRight") return points[at + 1];
  if (key === "ArrowLeft") return points[at - 1];
  const clouds = [...new Set(points.map((point) => point.parentElement))];
  const cloud = clouds[clouds.indexOf(from.parentElement) + (key === "ArrowDown" ? 1 : -1)];
  return cloud?.querySelector(".point");
}

if (card) {
  // The last person drawn lies on top and is the first to be told about.
  const points = [...figure.querySelectorAll(".cloud")].reverse().flatMap((cloud) => [...cloud.querySelectorAll(".point")]);
  const hide = () => { card.hidden = true; };
  points.forEach((point, number) => {
    point.setAttribute("tabindex", number ? "-1" : "0");
    point.addEventListener("pointerenter", () => show(point));
    point.addEventListener("pointerleave", hide);
    point.addEventListener("focus", () => {
      points.forEach((other) => other.setAttribute("tabindex", other === point ? "0" : "-1"));
      show(point);
    });
    point.addEventListener("blur", hide);
    point.addEventListener("keydown", (event) => {
      if (event.key === "Escape") hide();
      if (!["ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp"].includes(event.key)) return;
      event.preventDefault();
      step(points, point, event.key)?.focus();
    });
  });
  figure.querySelector(".keys-hint").hidden = false;
}
