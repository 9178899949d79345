import { describe, expect, test } from "vitest";
import { findFixture, fixtureBytes } from "../../engines/flint/__fixtures__/fixtures.ts";
import { openModel } from "../../engines/flint/__fixtures__/open.ts";
import { planStudent } from "../distill/student.ts";
import { createInlineCrew } from "./crew.ts";
import { createTrainMemory, createTrainModule } from "./machine.ts";
import { writeInitial } from "./parameters.ts";
import { rateAt, train } from "./train.ts";
import type { TrainOptions, TrainState } from "./train.ts";

const module = createTrainModule();
const rows = 16;

/** Trains the tiny model on texts that count up. */
async function trainTiny({ lanes = 1, rate = 3e-3, steps = 12, ...rest }: Partial<TrainOptions> & { lanes?: number }) {
  const { file, weights } = openModel(fixtureBytes(findFixture("llama")), "llama");
  const setup = planStudent(file, { rows, lanes, rank: 4 });
  const memory = createTrainMemory(setup.bytes);
  for (const [tensor, address] of setup.weights) new Float32Array(memory.buffer, address).set(weights(tensor));
  const values = new Float32Array(memory.buffer, setup.parameterPlace, setup.parameters.floats);
  writeInitial(values, setup.parameters, { seed: 1, norm: weights });
  const window = (index: number) => ({ tokens: Int32Array.from({ length: rows + 1 }, (_, i) => 20 + index + i) });
  const states: TrainState[] = [];
  const result = await train({
    crew: createInlineCrew({ module, memory, setup }),
    setup,
    values,
    windows: 8,
    example: window,
    held: [window(9), window(10)],
    options: {
      batch: 4,
      decay: 0,
      loss: { share: 0, temperature: 1 },
      seed: 5,
      looks: 4,
      patience: 4,
      ...rest,
      steps,
      rate,
    },
    onStep: (state) => states.push(state),
  });
  return { result, values: values.slice(), states };
}

describe("a training", () => {
  test("lowers the loss of text that it has not seen", async () => {
    const { result, states } = await trainTiny({});
    expect(result.after).toBeLessThan(result.before - 0.1);
    expect(result).toMatchObject({ steps: 12, bestStep: 12 });
    expect(states).toHaveLength(12);
  });

  test("gives the same for a seed, and the same but for rounding with more threads", async () => {
    const [one, again, other] = [await trainTiny({}), await trainTiny({}), await trainTiny({ lanes: 3 })];
    expect(again.values).toEqual(one.values);
    expect(other.result.after).toBeCloseTo(one.result.after, 3);
  });

  test("ends when nothing is gained any more, and keeps the best", async () => {
    const { result } = await trainTiny({ rate: 3, steps: 40, looks: 40, patience: 3 });
    expect(result.steps).toBeLessThan(40);
    expect(result.after).toBeLessThanOrEqual(result.before);
  });
});

test("the rate rises, and falls to a twentieth", () => {
  expect(rateAt(1, 100)).toBeCloseTo(0.2);
  expect(rateAt(5, 100)).toBe(1);
  expect(rateAt(100, 100)).toBeCloseTo(0.05);
});
