/** Where the values of a pass stand. What is not needed at the same time shares its place. */
import type { Tape } from "./tape.ts";
import { inputsOf, keptOf, outputOf } from "./tape.ts";

export interface Placement {
  /** Floats of a row from the begin of the area to value i, times the rows of a pass. */
  readonly values: readonly number[];
  /** The same for its gradient. */
  readonly gradients: readonly number[];
  /** Floats for each row. */
  readonly floats: number;
}

interface Life {
  readonly width: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Operation i runs at time i, and backwards at time 2n − 1 − i. A value lives from its operation to the last that reads it,
 * a gradient from the first operation that adds to it, going backwards, to the one that made the value.
 */
export function placeValues({ operations, values }: Tape): Placement {
  const last = 2 * operations.length - 1;
  const lives = values.map(({ width }) => ({ width, from: 0, to: 0 }));
  const gradients = values.map(({ width }) => ({ width, from: last, to: last }));
  for (const [time, operation] of operations.entries()) {
    const out = outputOf(operation);
    const back = last - time;
    if (out) {
      Object.assign(lives[out.id] ?? {}, { from: time, to: time });
      Object.assign(gradients[out.id] ?? {}, { to: back });
    }
    for (const { id } of inputsOf(operation)) {
      const life = lives[id];
      const gradient = gradients[id];
      if (!life || !gradient) throw new RangeError(`no value ${id}`);
      life.to = Math.max(life.to, time);
      gradient.from = Math.min(gradient.from, back);
    }
    for (const { id } of keptOf(operation)) {
      const life = lives[id];
      if (life) life.to = Math.max(life.to, back);
    }
  }
  const { places, size } = placeLives([...lives, ...gradients]);
  return { values: places.slice(0, values.length), gradients: places.slice(values.length), floats: size };
}

/** The lowest place that is free for the whole life, in the order of birth. */
function placeLives(lives: readonly Life[]): { readonly places: number[]; readonly size: number } {
  const places = lives.map(() => 0);
  const placed: { readonly life: Life; readonly at: number }[] = [];
  let size = 0;
  for (const index of lives
    .keys()
    .toArray()
    .toSorted((a, b) => (lives[a]?.from ?? 0) - (lives[b]?.from ?? 0))) {
    const life = lives[index];
    if (!life) continue;
    const others = placed
      .filter((other) => other.life.from <= life.to && life.from <= other.life.to)
      .toSorted((a, b) => a.at - b.at);
    let at = 0;
    for (const other of others) {
      if (at + life.width <= other.at) break;
      at = Math.max(at, other.at + other.life.width);
    }
    places[index] = at;
    placed.push({ life, at });
    size = Math.max(size, at + life.width);
  }
  return { places, size };
}
