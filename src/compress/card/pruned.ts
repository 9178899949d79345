import type { PruneFacts } from "../prune/contract.ts";
import type { Line } from "./lines.ts";

/** What was taken out of a model, as lines of a table. */
export function prunedLines({ layers, heads, channels, zeros }: PruneFacts): Line[] {
  return [
    ...(layers ? [["layers", `${layers.after} of ${layers.before}; without ${ranges(layers.dropped)}`] as const] : []),
    ...(heads ? [["heads of a layer", `${heads.after} of ${heads.before}`] as const] : []),
    ...(channels ? [["channels of a layer", `${channels.after} of ${channels.before}`] as const] : []),
    ...(zeros ? [["zeros", zeroText(zeros)] as const] : []),
  ];
}

function zeroText({ method, pattern, inLayers, inAll }: NonNullable<PruneFacts["zeros"]>): string {
  const percent = (part: number): string => `${(part * 100).toFixed(2)} %`;
  const by = pattern === undefined ? method : `${pattern}, ${method}`;
  return `${percent(inLayers)} of the layers' weights (${by}), ${percent(inAll)} of all`;
}

/** 3, 20–25 */
function ranges(numbers: readonly number[]): string {
  const found: [first: number, last: number][] = [];
  for (const number of numbers) {
    const last = found.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else found.push([number, number]);
  }
  return found.map(([first, last]) => (first === last ? String(first) : `${first}–${last}`)).join(", ");
}
