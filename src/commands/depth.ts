import type { Command } from "./command.ts";
import { defineLook } from "./tasks/look.ts";

export const depth: Command = defineLook({
  task: "depth",
  text: "Estimates how near each pixel of a picture is: a picture in which near is bright.",
  print: ({ width, height, depth: map }) => {
    const [least, most] = rangeOf(map);
    return `${width} × ${height} pixels, from ${least.toPrecision(4)} (far) to ${most.toPrecision(4)} (near)\n`;
  },
  toJson: ({ width, height, depth: map }) => {
    const [far, near] = rangeOf(map);
    return { width, height, far, near };
  },
});

function rangeOf(values: Float32Array): readonly [number, number] {
  let [least, most] = [Infinity, -Infinity];
  for (const value of values) [least, most] = [Math.min(least, value), Math.max(most, value)];
  return [least, most];
}
