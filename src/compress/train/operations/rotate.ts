/** Rotary position embedding, both ways. */
import { frequenciesOf, writeAngles } from "../../../engines/flint/graph/rope-table.ts";
import type { RopeOptions } from "../../../engines/flint/graph/graph.ts";
import type { Pass } from "../pass.ts";

/** [rows, dimensions / 2, 2]: cosine and sine. */
export type Angles = Float32Array;

export function createAngles(rope: RopeOptions, rows: number, factors: Float32Array | undefined): Angles {
  const angles = new Float32Array(rows * rope.dimensions);
  const frequencies = frequenciesOf({ ...rope, table: 0 }, factors);
  for (let row = 0; row < rows; row++) writeAngles(angles, row * rope.dimensions, frequencies, row);
  return angles;
}

export interface Rotation {
  readonly from: number;
  readonly to: number;
  readonly heads: number;
  readonly headWidth: number;
  readonly rope: RopeOptions | undefined;
  readonly angles: Angles | undefined;
  /** By the same angles backwards. */
  readonly back?: boolean;
}

/** From one place to another, a row of heads for each row of the pass. */
export function rotate({ machine, rows }: Pick<Pass, "machine" | "rows">, rotation: Rotation): void {
  const { from, to, heads, headWidth, rope, angles, back } = rotation;
  const { floats } = machine;
  const count = rows * heads * headWidth;
  machine.call("copy", from, to, count);
  if (!rope || !angles) return;
  const pairs = rope.dimensions / 2;
  const sign = back ? -1 : 1;
  const [stride, other] = rope.pairing === "interleaved" ? [2, 1] : [1, pairs];
  for (let row = 0; row < rows; row++) {
    for (let head = 0; head < heads; head++) {
      const start = to / 4 + (row * heads + head) * headWidth;
      for (let pair = 0, at = row * rope.dimensions; pair < pairs; pair++, at += 2) {
        const cosine = angles[at]!;
        const sine = angles[at + 1]! * sign;
        const first = floats[start + pair * stride]!;
        const second = floats[start + pair * stride + other]!;
        floats[start + pair * stride] = first * cosine - second * sine;
        floats[start + pair * stride + other] = first * sine + second * cosine;
      }
    }
  }
}
