// Shows a face in its photo: the stage of the photo's own page, with the box of that face lit.

const peeked = () => document.getElementById("peeked");

export async function openPeek(event, link) {
  event.preventDefault();
  const place = peeked().querySelector(".peeked-photo");
  peeked().querySelector("a").href = link.href;
  try {
    const answer = await fetch(link.href, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const stage = page.querySelector(".stage");
    if (!answer.ok || !stage) throw new Error("no photo");
    stage.querySelector(`.box[href="#${CSS.escape(new URL(link.href).hash.slice(1))}"]`)?.classList.add("lit");
    // What the boxes lead to is not on this page.
    for (const box of stage.querySelectorAll(".box")) box.removeAttribute("href");
    place.replaceChildren(stage);
    peeked().showModal();
    peeked().querySelector("button").focus();
  } catch {
    location.assign(link.href);
  }
}
