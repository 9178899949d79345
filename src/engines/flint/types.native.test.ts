/** Models whose matrices are of one type: the logits of flint, of llama.cpp, and of a pass in float64 over the same weights. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Llama } from "node-llama-cpp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSession, startLlama } from "../../../scripts/golden/llama.ts";
import type { GgmlTypeName } from "../../formats/gguf/ggml.ts";
import { openModel, openReference } from "./__fixtures__/open.ts";
import { makeTyped } from "./__fixtures__/typed.ts";
import { matrixTypes } from "./architectures/tensors.ts";
import { openInline } from "./inline.ts";

const contextTokens = 64;
const tokens = [1, 300, 41, 260, 77, 301, 302, 299, 45, 66, 270, 280];

/**
 * Root mean square error of the logits of all positions, relative to that of the logits. Activations have 8 bits, 1 in 127
 * of the largest of a block: an error of about 0.5 % for each of the matrices that stand one behind the other.
 */
const bound = 0.02;
const floatBound = 1e-4;
/** llama.cpp has 8 bits as well. Which of the two is nearer is chance; no type may be much worse. */
const mostOfTheirs = 1.2;

function error(rows: readonly ArrayLike<number>[], expected: readonly ArrayLike<number>[]): number {
  let apart = 0;
  let whole = 0;
  expected.forEach((row, index) => {
    for (let at = 0; at < row.length; at++) {
      apart += ((rows[index]?.[at] ?? NaN) - (row[at] ?? NaN)) ** 2;
      whole += (row[at] ?? 0) ** 2;
    }
  });
  return Math.sqrt(apart / whole);
}

function exact(bytes: Uint8Array<ArrayBuffer>, type: string): Float64Array[] {
  const { reference } = openReference(openModel(bytes, type), contextTokens, Math.f16round);
  return reference.step(tokens.map((token, position) => ({ token, sequence: 0, position, output: true })));
}

describe("a llama whose matrices are of one type is as near to the truth as with llama.cpp", () => {
  let llama: Llama;
  let folder: string;
  beforeAll(async () => {
    llama = await startLlama();
    folder = await mkdtemp(join(tmpdir(), "hearth-types-"));
  });
  afterAll(async () => {
    await llama.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  async function theirs(bytes: Uint8Array, type: string): Promise<Float32Array[]> {
    const modelPath = join(folder, `${type}.gguf`);
    await writeFile(modelPath, bytes);
    const model = await llama.loadModel({ modelPath, gpuLayers: 0, defaultContextFlashAttention: false });
    const session = await openSession(model, { contextTokens, cache: "F16" });
    const rows: Float32Array[] = [];
    for (const token of tokens) rows.push(await session.read([token]));
    await model.dispose();
    return rows;
  }

  it.each([...matrixTypes])("%s", async (type: GgmlTypeName) => {
    const bytes = makeTyped(type);
    const truth = exact(bytes, type);
    const ours = error(openInline(bytes, { contextTokens }).step({ tokens }), truth);
    const peer = error(await theirs(bytes, type), truth);
    expect(ours).toBeLessThan(/F32|F16/.test(type) ? floatBound : bound);
    expect(ours).toBeLessThan(peer * mostOfTheirs + floatBound);
  });
});
