/** A model that runs in this thread alone: no child, no workers. */
import { modelBytes } from "../../../../../test/make-model.ts";
import type { GgufContent } from "../../../../formats/gguf/encode.ts";
import { parseGguf } from "../../../../formats/gguf/parse.ts";
import { checkModel } from "../../check.ts";
import { prepare } from "../../prepare.ts";
import { loadShare } from "../../threads/load.ts";
import { Steps } from "../../threads/steps.ts";
import { Compute } from "../../threads/worker.ts";
import { loadAdapter } from "../load.ts";
import { readAdapter } from "../read.ts";

export interface LocalAdapter {
  readonly content: GgufContent;
  readonly scale?: number;
}

export async function openSteps(model: GgufContent, adapters: readonly LocalAdapter[] = []): Promise<Steps> {
  const bytes = modelBytes(model);
  const file = parseGguf(bytes, { name: "model" });
  const read = (from: Uint8Array) => (offset: number, target: Uint8Array): void =>
    target.set(from.subarray(offset, offset + target.length));
  const opened = adapters.map(({ content, scale = 1 }, index) => {
    const own = modelBytes(content);
    return { own, scale, ...readAdapter(parseGguf(own, { name: `adapter ${index}` }), file, index) };
  });
  const options = { contextTokens: 64, parallel: 2, workers: 1, batchTokens: undefined, adapters: opened };
  const { setup: shared, kernels } = prepare(file, checkModel(file, 64), options);
  for (const adapter of opened) {
    await loadAdapter(adapter, shared, async (offset, target) => read(adapter.own)(offset, target));
  }
  const setup = { ...shared, index: 0, module: new WebAssembly.Module(kernels()) };
  loadShare(setup, read(bytes));
  return new Steps({ setup, compute: new Compute(setup) });
}

/** Logits of every token of a text, computed in one step beside nothing else. */
export function logitsOf(steps: Steps, tokens: readonly number[], adapters?: readonly number[]): Float32Array[] {
  const table = steps.tables[0];
  if (!table) throw new RangeError("no table");
  steps.run([{ tokens, position: 0, table, outputsFrom: 0, adapters }]);
  const rows = tokens.map((_, row) => steps.row(row).slice());
  table.truncate(0);
  return rows;
}

/** Largest distance of two lists of rows, relative to the largest number of the second. */
export function distance(left: readonly Float32Array[], right: readonly Float32Array[]): number {
  let [apart, largest] = [0, 0];
  right.forEach((row, index) =>
    row.forEach((value, at) => {
      const other = left[index]?.[at] ?? Number.NaN;
      apart = Math.max(apart, Number.isNaN(other) ? Infinity : Math.abs(other - value));
      largest = Math.max(largest, Math.abs(value));
    }),
  );
  return apart / largest;
}
