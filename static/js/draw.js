// Draws a box around a face in the photo, with a mouse, a pen or a finger. The numbers of the form are the box: typing
// them moves what is drawn.

const SVG = "http://www.w3.org/2000/svg";
const draw = document.getElementById("draw");

function begin() {
  const boxes = document.querySelector(".boxes");
  const stage = boxes.closest(".stage");
  const form = draw.querySelector("form");
  const fields = Object.fromEntries(["left", "top", "right", "bottom"].map((side) => [side, form.elements[side]]));
  const { width, height } = boxes.viewBox.baseVal;
  const drawn = document.createElementNS(SVG, "g");
  drawn.classList.add("box", "box-drawn");
  for (const kind of ["box-edge", "box-line"]) {
    drawn.append(document.createElementNS(SVG, "rect"));
    drawn.lastChild.classList.add(kind);
  }
  let corner = null;

  // Where the pointer is, in whole pixels of the photo.
  function point(event) {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(boxes.getScreenCTM().inverse());
    const within = (value, most) => Math.round(Math.min(Math.max(value, 0), most));
    return [within(at.x, width), within(at.y, height)];
  }

  function show() {
    const [left, top, right, bottom] = Object.values(fields).map((field) => field.valueAsNumber);
    const whole = right > left && bottom > top;
    drawn.remove();
    if (!whole || !draw.open) return;
    for (const rect of drawn.children) {
      for (const [name, value] of Object.entries({ x: left, y: top, width: right - left, height: bottom - top })) {
        rect.setAttribute(name, value);
      }
    }
    boxes.append(drawn);
  }

  function stretch(event) {
    const [x, y] = point(event);
    fields.left.value = Math.min(x, corner[0]);
    fields.right.value = Math.max(x, corner[0]);
    fields.top.value = Math.min(y, corner[1]);
    fields.bottom.value = Math.max(y, corner[1]);
    show();
  }

  boxes.addEventListener("pointerdown", (event) => {
    if (!draw.open || !event.isPrimary || event.button) return;
    event.preventDefault();
    boxes.setPointerCapture(event.pointerId);
    corner = point(event);
  });
  boxes.addEventListener("pointermove", (event) => {
    if (corner && event.isPrimary) stretch(event);
  });
  boxes.addEventListener("pointerup", (event) => {
    if (!corner || !event.isPrimary) return;
    stretch(event);
    corner = null;
    form.querySelector("button").focus({ preventScroll: true });
  });
  boxes.addEventListener("pointercancel", () => { corner = null; });

  form.addEventListener("input", show);
  // The arrows change the numbers here, and do not go from face to face.
  form.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape") draw.open = false;
  });
  const turn = () => {
    stage.classList.toggle("framing", draw.open);
    show();
  };
  draw.addEventListener("toggle", turn);
  draw.classList.add("live");
  turn();
}

if (draw) begin();
