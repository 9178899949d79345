/** Files that `convert` makes of folders, in llama.cpp and in flint. */
import type { Llama } from "node-llama-cpp";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSession, startLlama } from "../../../scripts/golden/llama.ts";
import { temporaryFolder } from "../../../test/make-checkpoint.ts";
import { distance } from "../../engines/flint/__fixtures__/distance.ts";
import { encoderFixtures, fixtureBytes, generateFixtures } from "../../engines/flint/__fixtures__/fixtures.ts";
import type { Fixture } from "../../engines/flint/__fixtures__/fixtures.ts";
import { openModel } from "../../engines/flint/__fixtures__/open.ts";
import { checkModel } from "../../engines/flint/check.ts";
import { createReference } from "../../engines/flint/graph/reference.ts";
import type { ReferenceOptions } from "../../engines/flint/graph/reference.ts";
import { activate } from "../../engines/flint/graph/reference-math.ts";
import { openInline } from "../../engines/flint/inline.ts";
import { convert } from "./convert.ts";

let llama: Llama;
beforeAll(async () => {
  llama = await startLlama();
});
afterAll(async () => {
  // The process ends soon: nobody waits for native threads that are slow to go.
  await Promise.race([llama.dispose(), new Promise((resolve) => setTimeout(resolve, 2000))]);
});

/** A fixture as a folder whose matrices are F16, and files of that: as it is, and the same weights as F32. */
async function makeFiles(fixture: Fixture): Promise<{ readonly half: string; readonly wide: string }> {
  const folder = temporaryFolder();
  const path = (name: string): string => join(folder, name);
  const [source, checkpoint, half, wide] = [path("a.gguf"), path("folder"), path("half.gguf"), path("wide.gguf")];
  writeFileSync(source, fixtureBytes(fixture));
  await convert({ source, out: checkpoint, type: "f16" });
  await convert({ source: checkpoint, out: half });
  await convert({ source: checkpoint, out: wide, type: "f32" });
  return { half, wide };
}

const contextTokens = 64;

/** Logits after the last token. */
async function readByLlama(modelPath: string, tokens: readonly number[]): Promise<Float32Array> {
  const model = await llama.loadModel({ modelPath, gpuLayers: 0, defaultContextFlashAttention: false });
  const session = await openSession(model, { contextTokens });
  try {
    return await session.read(tokens);
  } finally {
    await session.dispose();
    await model.dispose();
  }
}

function bytesOf(path: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(path));
}

function readByFlint(path: string, tokens: readonly number[]): Float32Array | undefined {
  return openInline(bytesOf(path), { contextTokens }).step({ tokens, from: tokens.length - 1 })[0];
}

/** In float64, but for what `options` round. */
function compute(
  path: string,
  tokens: readonly number[],
  options: (types: ReadonlyMap<string, string>) => Omit<ReferenceOptions, "weights">,
): Float64Array {
  const { file, weights } = openModel(bytesOf(path), path);
  const { architecture, hyperparameters } = checkModel(file, contextTokens);
  const types = new Map(file.tensors.map(({ name, typeName }) => [name, typeName]));
  const build = (graph: Parameters<typeof architecture.build>[0]): void => architecture.build(graph, hyperparameters);
  const reference = createReference(build, { weights, ...options(types) });
  const last = tokens.length - 1;
  const rows = tokens.map((token, position) => ({ token, sequence: 0, position, output: position === last }));
  return reference.step(rows)[0] ?? new Float64Array();
}

/** llama.cpp rounds what it multiplies with a matrix of F16 to F16, and has GELU in a table of such. */
function roundings(types: ReadonlyMap<string, string>): Omit<ReferenceOptions, "weights"> {
  return {
    see: (element, matrix) => (types.get(matrix) === "F16" ? Math.f16round(element) : element),
    activate: (x, kind) =>
      kind.startsWith("gelu") ? Math.f16round(activate(Math.f16round(x), kind)) : activate(x, kind),
  };
}

/**
 * Measured distances: flint on the F16 file is within 9e-5 of float64 with keys and values in F16 (most families: 1e-5), and
 * 8.4e-4 from float64 without, so its cache is all that it rounds. llama.cpp on the F16 file is up to 1.5e-3 from float64, also
 * with a cache of F32, and 0 to 7e-4 from float64 with activations that are rounded: these small models make much of that.
 * On the same weights as F32 it rounds nothing, and there the two are at most 9e-4 apart.
 */
const bounds = { flint: 2e-4, llama: 1e-3, both: 1e-3 };

function apart(logits: ArrayLike<number> | undefined, expected: ArrayLike<number>): number {
  return distance([logits ?? []], [expected]);
}

describe("a folder of F16 that became a file", () => {
  test.each(generateFixtures())("gives the logits of flint in llama.cpp: $name", async (fixture) => {
    const { half, wide } = await makeFiles(fixture);
    const tokens = fixture.prompts[0]?.tokens ?? [];
    const ours = readByFlint(half, tokens);
    expect(apart(ours, await readByLlama(wide, tokens))).toBeLessThan(bounds.both);
    expect(
      apart(
        ours,
        compute(half, tokens, () => ({ keep: Math.f16round })),
      ),
    ).toBeLessThan(bounds.flint);
    expect(apart(await readByLlama(half, tokens), compute(half, tokens, roundings))).toBeLessThan(bounds.llama);
  });

  test.each(encoderFixtures())("is read by llama.cpp: $name", async (fixture) => {
    const model = await llama.loadModel({ modelPath: (await makeFiles(fixture)).half, gpuLayers: 0 });
    expect(model.fileInfo.metadata.general.architecture).toBe(fixture.architecture);
    await model.dispose();
  });
});
