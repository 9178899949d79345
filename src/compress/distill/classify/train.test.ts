import { describe, expect, test } from "vitest";
import { createRandom } from "../../../engines/flint/sampling/random.ts";
import { fitHead, predict } from "./softmax.ts";
import type { Row } from "./train.ts";
import { lossOf, trainHead } from "./train.ts";

/** Vectors of length 1 around one direction for each label. */
function makeRows(count: number, noise: number): Row[] {
  const random = createRandom(3);
  return Array.from({ length: count }, (_, index) => {
    const label = index % 3;
    const vector = Float32Array.from({ length: 8 }, (_, at) => (at === label ? 1 : 0) + noise * (random.next() - 0.5));
    const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
    return {
      vector: vector.map((value) => value / length),
      target: Float32Array.from([0, 1, 2], (at) => (at === label ? 1 : 0)),
    };
  });
}

const meanLoss = (rows: readonly Row[], head: Parameters<typeof lossOf>[0]): number =>
  rows.reduce((sum, row) => sum + lossOf(head, row), 0) / rows.length;

describe("a head", () => {
  test("is where the gradient of its loss is zero", async () => {
    const rows = makeRows(12, 1);
    const [width, labels, decay] = [8, 3, 1e-2];
    const vectors = Float32Array.from(rows.flatMap(({ vector }) => [...vector]));
    const targets = Float32Array.from(rows.flatMap(({ target }) => [...target]));
    const { head, steps } = await fitHead({ vectors, targets, count: 12 }, { width, labels, decay });
    const lossAt = (values: Float32Array): number => {
      const squares = values.subarray(0, width * labels).reduce((sum, value) => sum + value * value, 0);
      return meanLoss(rows, { width, labels, values }) + (decay / 2) * squares;
    };
    const best = lossAt(head.values);
    for (const [at, step] of [
      [0, 0.1],
      [5, -0.1],
      [13, 0.1],
      [24, 0.1],
      [26, -0.1],
    ] as const) {
      const moved = head.values.slice();
      moved[at]! += step;
      expect(lossAt(moved)).toBeGreaterThan(best);
    }
    expect(steps).toBeLessThan(1000);
  });

  test("knows what it has not seen, and learns how sure the teacher is", async () => {
    const rows = makeRows(90, 0.8);
    const { head } = await trainHead(rows.slice(0, 60), { seed: 1 });
    const right = rows.slice(60).filter(({ vector, target }) => {
      const found = predict(head, vector);
      return target[found.indexOf(Math.max(...found))] === 1;
    });
    expect(right.length).toBeGreaterThan(27);
    const unsure = rows.slice(0, 30).map(({ vector }) => ({ vector, target: Float32Array.of(0.5, 0.3, 0.2) }));
    const { head: soft, decay } = await trainHead(unsure, { seed: 1 });
    for (const [label, expected] of [0.5, 0.3, 0.2].entries()) {
      expect(predict(soft, rows[61]?.vector ?? new Float32Array(8))[label]).toBeCloseTo(expected, 2);
    }
    expect(decay).toBeGreaterThan(0);
  });
});
