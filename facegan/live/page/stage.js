// The landmarks on the source image: points to drag, and parts of the face to move with the keyboard.

const SVG = "http://www.w3.org/2000/svg";
const GROUPS = { jaw: "jaw", right_brow: "brows", left_brow: "brows", nose: "nose", right_eye: "eyes", left_eye: "eyes", outer_lips: "mouth", inner_lips: "mouth" };
const REACH = 0.06; // how far from a point a drag may start, as a share of the side
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STEP = 0.008, LARGE_STEP = 0.03; // of an arrow key, without and with Shift, as shares of the side

// `onMove(landmarks, dx, dy)` is told which landmarks the user moves, and how far, in pixels of the image.
export class Stage {
  constructor(box, live, movesWholeParts, onMove) {
    this.size = live.size;
    this.parts = live.parts.map((part) => ({ ...part, landmarks: part.lines.flat() }));
    this.movesWholeParts = movesWholeParts;
    this.onMove = onMove;
    this.svg = document.createElementNS(SVG, "svg");
    // Whole numbers are pixel centres.
    this.svg.setAttribute("viewBox", `-0.5 -0.5 ${live.size} ${live.size}`);
    this.mark = document.createElementNS(SVG, "path"); // the landmark that the keyboard moves
    this.mark.setAttribute("class", "chosen");
    for (const part of this.parts) this.svg.append(this.groupOf(part));
    this.svg.append(this.mark);
    this.listenToPointer();
    box.append(this.svg);
  }

  groupOf(part) {
    const group = document.createElementNS(SVG, "g");
    const name = part.name.replace("_", " ");
    group.setAttribute("class", `part ${GROUPS[part.name] ?? "jaw"}`);
    group.setAttribute("tabindex", "0");
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", `${name}, ${part.landmarks.length} landmarks; arrow keys move it`);
    // Few elements, since they are drawn again whenever the face moves: points are lines of no length with round ends.
    part.paths = ["rim", "ink", "rim points", "ink points"].map((kind) => {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("class", kind);
      group.append(path);
      return path;
    });
    part.chosen = null; // the landmark that arrow keys move; null: all of the part
    group.addEventListener("keydown", (event) => this.onKey(event, part));
    group.addEventListener("blur", () => this.choose(part, null));
    return group;
  }

  // Draw landmarks [68][2].
  show(points) {
    this.points = points;
    for (const part of this.parts) {
      const lines = part.lines.map((line) => `M${line.map((i) => this.place(i)).join("L")}${part.closed ? "Z" : ""}`).join("");
      const dots = part.landmarks.map((i) => `M${this.place(i)}h0`).join("");
      part.paths.forEach((path, kind) => path.setAttribute("d", kind < 2 ? lines : dots));
    }
    this.showMark();
  }

  place(landmark) {
    const [x, y] = this.points[landmark];
    return `${x.toFixed(2)} ${y.toFixed(2)}`;
  }

  showMark() {
    const part = this.parts.find(({ chosen }) => chosen !== null);
    this.mark.setAttribute("d", part ? `M${this.place(part.chosen)}h0` : "");
  }

  listenToPointer() {
    let moved = null, last = null;
    this.svg.addEventListener("pointerdown", (event) => {
      const at = this.toImage(event), landmark = this.nearest(at);
      if (landmark === null || event.button) return;
      event.preventDefault();
      const part = this.parts.find((one) => one.landmarks.includes(landmark));
      [moved, last] = [this.movesWholeParts() ? part.landmarks : [landmark], at];
      this.svg.setPointerCapture(event.pointerId);
      this.svg.classList.add("dragging");
    });
    this.svg.addEventListener("pointermove", (event) => {
      if (!moved) return;
      const at = this.toImage(event).map((v) => Math.min(Math.max(v, 0), this.size - 1));
      this.onMove(moved, at[0] - last[0], at[1] - last[1]);
      last = at;
    });
    for (const end of ["pointerup", "pointercancel"]) {
      this.svg.addEventListener(end, () => {
        moved = null;
        this.svg.classList.remove("dragging");
      });
    }
  }

  onKey(event, part) {
    if (event.key === "," || event.key === ".") {
      const places = part.landmarks, place = places.indexOf(part.chosen), step = event.key === "." ? 1 : -1;
      this.choose(part, places[part.chosen === null ? (step > 0 ? 0 : places.length - 1) : (place + step + places.length) % places.length]);
    } else if (event.key === "Escape") {
      this.choose(part, null);
    } else if (STEPS[event.key]) {
      const far = (event.shiftKey ? LARGE_STEP : STEP) * this.size;
      this.onMove(part.chosen === null ? part.landmarks : [part.chosen], ...STEPS[event.key].map((v) => v * far));
    } else return;
    event.preventDefault();
  }

  choose(part, landmark) {
    part.chosen = landmark;
    this.showMark();
  }

  // A pointer's position in pixels of the image.
  toImage(event) {
    const box = this.svg.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height].map((v) => v * this.size - 0.5);
  }

  // The landmark nearest to a position, or null if none is near.
  nearest([x, y]) {
    const distances = this.points.map(([px, py]) => Math.hypot(px - x, py - y));
    const least = Math.min(...distances);
    return least <= REACH * this.size ? distances.indexOf(least) : null;
  }
}
