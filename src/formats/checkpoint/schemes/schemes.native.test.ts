/** The kernels of flint on quantized checkpoints, against the tools that made them. */
import { describe, expect, it } from "vitest";
import { openInline } from "../../../engines/flint/inline.ts";
import { modelBytes } from "../../../../test/make-model.ts";
import { openCheckpoint } from "../open.ts";
import type { Checkpoint } from "../open.ts";
import { schemeFixtures, withFolder } from "./__fixtures__/fixtures.ts";

function ggufBytes({ file, metadata, read }: Checkpoint): Uint8Array<ArrayBuffer> {
  const tensors = file.tensors.map(({ name, shape, typeName, offset, sizeBytes }) => {
    const data = new Uint8Array(sizeBytes);
    read(offset, data);
    return { name, shape, type: typeName, data };
  });
  return modelBytes({ metadata, tensors });
}

describe.each(schemeFixtures().filter(({ config }) => config !== undefined))("$name ($tool)", (fixture) => {
  it("has the logits of the tool, but for what activations of 8 bits change", async () => {
    const bytes = await withFolder(fixture, (folder) => {
      const checkpoint = openCheckpoint(folder, { reorder: true });
      try {
        return ggufBytes(checkpoint);
      } finally {
        checkpoint.close();
      }
    });
    const rows = openInline(bytes, { contextTokens: 64 }).step({ tokens: fixture.tokens });
    const expected = fixture.logits.flatMap((row) => Array.from(row));
    const apart = rows
      .flatMap((row) => Array.from(row))
      .map((value, index) => Math.abs(value - (expected[index] ?? NaN)));
    expect(Math.max(...apart) / Math.max(...expected.map(Math.abs))).toBeLessThan(1e-2);
  });
});
