/** Forwards against transformers, backwards against differences. */
import { describe, expect, test } from "vitest";
import { findFixture, fixtureBytes } from "../../engines/flint/__fixtures__/fixtures.ts";
import type { GenerateFixture } from "../../engines/flint/__fixtures__/fixtures.ts";
import { openModel } from "../../engines/flint/__fixtures__/open.ts";
import { createRandom } from "../../engines/flint/sampling/random.ts";
import { planStudent } from "../distill/student.ts";
import { createInlineCrew } from "./crew.ts";
import type { Example } from "./lane.ts";
import { createTrainMemory, createTrainModule } from "./machine.ts";
import { writeInitial } from "./parameters.ts";
import type { TrainSetup } from "./setup.ts";

const module = createTrainModule();
const names = ["llama", "llama-tied", "llama3-rope", "qwen2", "qwen3", "phi3"] as const;

interface Opened {
  readonly setup: TrainSetup;
  readonly memory: WebAssembly.Memory;
  readonly values: Float32Array;
  readonly crew: ReturnType<typeof createInlineCrew>;
  readonly fixture: GenerateFixture;
}

function openStudent(name: string, rows: number, lanes = 1): Opened {
  const fixture = findFixture(name) as GenerateFixture;
  const { file, weights } = openModel(fixtureBytes(fixture), name);
  const setup = planStudent(file, { rows, lanes, rank: 4 });
  const memory = createTrainMemory(setup.bytes);
  for (const [tensor, address] of setup.weights) new Float32Array(memory.buffer, address).set(weights(tensor));
  const values = new Float32Array(memory.buffer, setup.parameterPlace, setup.parameters.floats);
  writeInitial(values, setup.parameters, { seed: 7, norm: weights });
  return { setup, memory, values, fixture, crew: createInlineCrew({ module, memory, setup }) };
}

/** Adapters that change something. */
function disturb({ values, setup }: Opened): void {
  const random = createRandom(3);
  for (const item of setup.parameters.list) {
    if (item.kind !== "adapter") continue;
    const { n } = item.linear.matrix;
    for (let i = 0; i < n * setup.parameters.rank; i++) values[item.up + i] = 0.2 * (random.next() - 0.5);
  }
}

const plain = { share: 0, temperature: 1, weight: 1 };

describe.each(names)("a %s model in training", (name) => {
  test("is as surprised by a text as transformers is", async () => {
    const { prompts } = findFixture(name) as GenerateFixture;
    const prompt = prompts.find(({ name: kind }) => kind === "short");
    if (!prompt) throw new Error("no prompt");
    const { crew } = openStudent(name, prompt.tokens.length - 1);
    const tokens = Int32Array.from(prompt.tokens);
    const sums = await crew.run([{ tokens }], { loss: plain, reverse: false });
    let expected = 0;
    for (const [row, logits] of prompt.logits.entries()) {
      const target = prompt.tokens[prompt.firstLogits + row + 1];
      if (target === undefined) continue;
      expected += Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0)) - (logits[target] ?? 0);
    }
    expect(prompt.firstLogits).toBe(0);
    expect(sums.crossEntropy).toBeCloseTo(expected, 3);
  });

  test.each([
    { share: 0, temperature: 1 },
    { share: 0.7, temperature: 1 },
    { share: 0.7, temperature: 2 },
  ])("has the gradients of its loss: %o", async (loss) => {
    const rows = 23;
    const opened = openStudent(name, rows);
    disturb(opened);
    const { crew, values, setup, memory, fixture } = opened;
    const options = { loss: { ...loss, weight: 1 / rows }, reverse: true };
    const example = randomExample(fixture.vocabulary, rows);
    const lossOf = async (): Promise<number> => {
      const sums = await crew.run([example], { ...options, reverse: false });
      const divergence = loss.share * loss.temperature ** 2 * sums.divergence;
      return (divergence + (1 - loss.share) * sums.crossEntropy) / rows;
    };
    await crew.run([example], options);
    const place = setup.lanes[0]?.gradients ?? 0;
    const gradients = new Float32Array(memory.buffer, place, setup.parameters.floats).slice();
    for (const { from, to } of parameterRanges(setup)) {
      const gradient = gradients.subarray(from, to);
      const length = Math.hypot(...gradient);
      expect(length).toBeGreaterThan(0);
      // Along the gradient the loss changes by its length.
      const before = values.slice(from, to);
      const size = 0.03;
      const shift = (sign: number): void =>
        values.set(
          before.map((value, i) => value + (sign * size * gradient[i]!) / length),
          from,
        );
      shift(1);
      const above = await lossOf();
      shift(-1);
      const below = await lossOf();
      values.set(before, from);
      expect(Math.abs((above - below) / (2 * size) - length)).toBeLessThan(0.02 * length + 1e-4);
    }
  });
});

function randomExample(vocabulary: number, rows: number): Example {
  const random = createRandom(11);
  const top = 5;
  const tokens = Int32Array.from({ length: rows + 1 }, () => Math.floor(random.next() * vocabulary));
  const chosen = Int32Array.from(
    { length: rows * top },
    (_, i) => (Math.floor(i / top) * 7 + (i % top) * 3) % vocabulary,
  );
  const probabilities = Float32Array.from({ length: rows * top }, (_, i) => [0.4, 0.2, 0.1, 0.1, 0.05][i % top] ?? 0);
  return { tokens, answers: { tokens: chosen, probabilities } };
}

function parameterRanges({ parameters: { list, rank } }: TrainSetup) {
  return list.flatMap((item) => {
    if (item.kind === "norm") return [{ from: item.weight, to: item.weight + item.norm.weight.length }];
    const { k, n } = item.linear.matrix;
    return [
      { from: item.down, to: item.down + rank * k },
      { from: item.up, to: item.up + rank * n },
    ];
  });
}
