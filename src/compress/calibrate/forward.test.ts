import { expect, test } from "vitest";
import { fixtureBytes, generateFixtures } from "../../engines/flint/__fixtures__/fixtures.ts";
import { openModel } from "../../engines/flint/__fixtures__/open.ts";
import { checkModel } from "../../engines/flint/check.ts";
import type { Graph } from "../../engines/flint/graph/graph.ts";
import { createReference } from "../../engines/flint/graph/reference.ts";
import type { Tensors } from "./tensors.ts";
import { runForward } from "./forward.ts";
import { linearSteps } from "./plan.ts";
import { createPool } from "./pool.ts";
import { traceModel } from "./trace.ts";

const dense = generateFixtures().filter(({ name }) => !/moe|mixtral/.test(name));
const text = [5, 9, 17, 33, 65, 12, 80, 41, 7, 19, 23, 90, 31, 2, 3, 4, 6, 50, 51, 8];
const windows = [text.slice(0, 10), text.slice(10)];

// What enters the last matrix has gone through all that a family computes.
test.each(dense.map((fixture) => [fixture.name, fixture] as const))(
  "%s: a text goes through as in the reference",
  async (name, fixture) => {
    const { file, weights } = openModel(fixtureBytes(fixture), name);
    const { architecture, hyperparameters } = checkModel(file);
    const build = (graph: Graph): void => architecture.build(graph, hyperparameters);
    const trace = traceModel(name, build);
    const last = linearSteps(trace).at(-1)?.weight.name;
    const tensors: Tensors = {
      rows: ({ name: own, k, row = 0 }, first, count) =>
        weights(own).slice((row + first) * k, (row + first + count) * k),
      matrix: ({ name: own, k, n, row = 0 }) => weights(own).slice(row * k, (row + n) * k),
      vector: ({ name: own, start = 0, length }) => weights(own).slice(start, start + length),
    };
    let entered = new Float32Array();
    const visitor = {
      async linear(
        step: { readonly weight: Parameters<Tensors["matrix"]>[0] },
        x: Float32Array,
      ): Promise<Float32Array> {
        if (step.weight.name === last) entered = x as Float32Array<ArrayBuffer>;
        return tensors.matrix(step.weight);
      },
    };
    await runForward({ trace, windows, tensors, pool: await createPool(0), visitor });
    const reference = createReference((graph) => stopAt(last ?? "", graph, build), { weights });
    const expected = windows
      .flatMap((window, sequence) =>
        reference.step(window.map((token, position) => ({ token, sequence, position, output: true }))),
      )
      .flatMap((row) => [...row]);
    expect(entered.length).toBe(expected.length);
    const largest = Math.max(...expected.map(Math.abs));
    const difference = Math.max(...expected.map((value, at) => Math.abs(value - entered[at]!)));
    expect(difference / largest).toBeLessThan(1e-4);
  },
);

class Stop extends Error {}

/** Builds a graph whose result is what enters a matrix. */
function stopAt(name: string, graph: Graph, build: (graph: Graph) => void): void {
  const linear: Graph["linear"] = (x, weight, options) => {
    if (weight.name !== name) return graph.linear(x, weight, options);
    graph.hidden(x);
    throw new Stop();
  };
  try {
    build({ ...graph, linear });
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
  }
}

test("a model with experts is refused", () => {
  const fixture = generateFixtures().find(({ name }) => /moe/.test(name))!;
  const { file } = openModel(fixtureBytes(fixture), fixture.name);
  const { architecture, hyperparameters } = checkModel(file);
  expect(() => traceModel("m", (graph) => architecture.build(graph, hyperparameters))).toThrow(/experts/);
});
