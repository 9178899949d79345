/**
 * Where a row stands for models that tell places in three directions (M-RoPE of Qwen2-VL, arXiv 2409.12191): its step in
 * time, its line and its column. Those of a token are all the same number; a picture takes as many steps as its longer side.
 */
import { pictureEnd, serialOf } from "./names.ts";

/** Time, line, column. */
export type Place = readonly [time: number, line: number, column: number];

interface Run {
  /** Index of its first row, and the one after its last. */
  readonly start: number;
  readonly end: number;
  /** The first step of its own, and that of what follows it. */
  readonly place: number;
  readonly after: number;
  readonly columns: number;
}

/** Places by index among the names, and beyond their end. `columnsOf`: rows of a line of a picture. */
export function createPlaces(
  names: readonly number[],
  columnsOf: (serial: number) => number,
): (index: number) => Place {
  const runs: Run[] = [];
  let place = 0;
  for (let at = 0, end = 0; at < names.length; at = end) {
    const name = names[at] ?? 0;
    end = name < 0 ? pictureEnd(names, at) : at + 1;
    if (name >= 0) {
      place++;
      continue;
    }
    const columns = Math.max(1, columnsOf(serialOf(name)));
    const after = place + Math.max(columns, Math.ceil((end - at) / columns));
    runs.push({ start: at, end, place, after, columns });
    place = after;
  }
  return (index) => {
    const run = runs.findLast(({ start }) => start <= index);
    if (!run) return [index, index, index];
    const { start, end, place: first, after, columns } = run;
    if (index >= end) {
      const own = after + index - end;
      return [own, own, own];
    }
    const row = index - start;
    return [first, first + Math.floor(row / columns), first + (row % columns)];
  };
}
