// The sliders of expression and pose.

import { element } from "./cards.js";
import { SLIDERS } from "./expressions.js";

// Fill a box with the sliders; `values` has their values by name and `onChange()` is called after a change. Returns `reset()`.
export function listSliders(box, values, onChange) {
  const resets = SLIDERS.map(({ name, low, high, unit }) => {
    const label = element("label", {}), output = element("output", {});
    const input = element("input", { type: "range", min: low, max: high, step: unit ? 1 : 0.05, value: 0, name });
    const show = () => (output.textContent = unit ? `${input.value}${unit}` : `${Math.round(100 * input.value)} %`);
    input.addEventListener("input", () => {
      values[name] = Number(input.value);
      show();
      onChange();
    });
    show();
    label.append(name, input, output);
    box.append(label);
    return () => {
      input.value = values[name] = 0;
      show();
    };
  });
  return () => resets.forEach((reset) => reset());
}
