// A card for each arm: its drawing, its difference from another arm's, and its scores.

import { SIDE, differenceMap, newCanvas, paintMarked, toPixels } from "./pictures.js";

export class Cards {
  constructor(box, live) {
    this.live = live;
    this.cards = live.arms.map((arm) => this.cardOf(arm));
    box.append(...this.cards.map((card) => card.box));
  }

  cardOf(arm) {
    const box = element("article", { className: "card" });
    const drawing = newCanvas(SIDE, SIDE), map = newCanvas(SIDE, SIDE);
    drawing.setAttribute("role", "img");
    drawing.setAttribute("aria-label", `The face as ${arm.label} draws it`);
    map.className = "map";
    const about = element("p", { className: "about", textContent: arm.about });
    const difference = element("p", {});
    box.append(element("h3", { textContent: arm.label }), drawing, map, difference, about, scoresOf(arm));
    return { box, drawing, map, difference };
  }

  // Paint the arms' drawings above a mark, and their differences from the drawing of arm `reference`; null: no differences.
  paint(drawn, reference, mark) {
    const { size } = this.live;
    this.cards.forEach(({ drawing, map, difference }, arm) => {
      paintMarked(drawing, toPixels(drawn[arm], size), mark);
      map.hidden = difference.hidden = reference === null;
      if (reference === null) return;
      const { pixels, mean } = differenceMap(drawn[arm], drawn[reference], size);
      paintMarked(map, pixels, "difference");
      difference.textContent = arm === reference ? "compared with itself" : `differs by ${mean.toFixed(1)} grey levels on average`;
    });
  }

  // The drawings with their labels, for paintTiles.
  tiles() {
    return this.cards.map((card, i) => [this.live.arms[i].label, card.drawing]);
  }
}

// Folded on a narrow screen, so that the drawings stay close together.
function scoresOf(arm) {
  const box = element("details", { open: matchMedia("(min-width: 761px)").matches });
  const table = element("table", {});
  for (const score of arm.scores) {
    const row = table.insertRow();
    const head = element("th", { scope: "row", textContent: score.name, title: score.meaning });
    const value = element("td", { textContent: score.value });
    if (score.interval) value.append(element("small", { textContent: score.interval }));
    row.append(head, value);
  }
  const seeds = `${arm.scored_seeds} seed${arm.scored_seeds === 1 ? "" : "s"}`;
  const about = arm.scores.length ? `On test people: means over ${seeds}, 95 % intervals.` : "Not scored yet.";
  const note = element("p", { textContent: `${about} Drawn by seed ${arm.seed} after ${arm.images} images.` });
  box.append(element("summary", { textContent: "Scores" }), table, note);
  return box;
}

export function element(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
}
