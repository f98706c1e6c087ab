// The people to start from: those of the folder, and the user's own photos.

import { element } from "./cards.js";
import { newCanvas } from "./pictures.js";

export class People {
  // `onChoose(person)` is told whom the user has chosen. A person is { name, pixels, floats, points, own }.
  constructor(box, people, onChoose) {
    Object.assign(this, { box, onChoose, list: [] });
    for (const person of people) this.add(person);
    box.querySelector("input").checked = true;
  }

  add(person) {
    const label = element("label", {}), input = element("input", { type: "radio", name: "person", value: this.list.length });
    const { width, height } = person.pixels;
    const thumbnail = newCanvas(width, height);
    thumbnail.getContext("2d").putImageData(person.pixels, 0, 0);
    label.append(input, thumbnail, person.name);
    input.addEventListener("change", () => this.onChoose(person));
    this.list.push(person);
    this.box.append(label);
    return input;
  }

  // Add a person and choose it.
  choose(person) {
    const input = this.add(person);
    input.checked = true;
    input.dispatchEvent(new Event("change"));
  }
}
