/** The kernels of flint on quantized checkpoints, against the tools that made them. */
import { describe, expect, it } from "vitest";
import { openInline } from "../../../engines/flint/inline.ts";
import { modelBytes } from "../../../../test/make-model.ts";
import { openCheckpoint } from "../open.ts";
import type { Checkpoint } from "../open.ts";
import { schemeFixtures, withFolder } from "./__fixtures__/fixtures.ts";

/** Root mean square error relative to that of the logits. Activations have twice 8 bits, the cache 11. */
const bound = 2e-3;
const floatBound = 1e-3;

function error(rows: readonly ArrayLike<number>[], expected: readonly ArrayLike<number>[]): number {
  const values = expected.flatMap((row) => Array.from(row));
  const apart = rows.flatMap((row) => Array.from(row)).map((value, index) => value - (values[index] ?? NaN));
  return Math.hypot(...apart) / Math.hypot(...values);
}

function ggufBytes({ file, metadata, read }: Checkpoint): Uint8Array<ArrayBuffer> {
  const tensors = file.tensors.map(({ name, shape, typeName, offset, sizeBytes }) => {
    const data = new Uint8Array(sizeBytes);
    read(offset, data);
    return { name, shape, type: typeName, data };
  });
  return modelBytes({ metadata, tensors });
}

describe.each(schemeFixtures().filter(({ config }) => config !== undefined))("$name ($tool)", (fixture) => {
  it("has the logits of the tool, but for what the cache in F16 changes", async () => {
    const bytes = await withFolder(fixture, (folder) => {
      const checkpoint = openCheckpoint(folder, { reorder: true });
      try {
        return ggufBytes(checkpoint);
      } finally {
        checkpoint.close();
      }
    });
    const rows = openInline(bytes, { contextTokens: 64 }).step({
      tokens: fixture.tokens,
      from: fixture.tokens.length - fixture.logits.length,
    });
    expect(error(rows, fixture.logits)).toBeLessThan(fixture.type === "F16" ? floatBound : bound);
  });
});
