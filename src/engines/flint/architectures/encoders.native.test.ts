/** What the golden encoders leave out: the same file through llama.cpp and through the reference graph. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Llama, LlamaModel, Token } from "node-llama-cpp";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startLlama } from "../../../../scripts/golden/llama.ts";
import type { GgufContent, GgufTypedValue } from "../../../formats/gguf/encode.ts";
import { parseGguf } from "../../../formats/gguf/parse.ts";
import { isGgufArray } from "../../../formats/gguf/types.ts";
import { findFixture, fixtureBytes } from "../__fixtures__/fixtures.ts";
import { openModel, openReference } from "../__fixtures__/open.ts";
import { makeVariant } from "../__fixtures__/variant.ts";
import type { Variant } from "../__fixtures__/variant.ts";

/** llama.cpp takes the tanh form of GELU, from a table of half floats. */
const geluTolerance = 0.02;
const size = { contextSize: 64, batchSize: 64, threads: 1 };

let llama: Llama;
let folder: string;
beforeAll(async () => {
  llama = await startLlama();
  folder = await mkdtemp(join(tmpdir(), "hearth-encoders-"));
});
afterAll(async () => {
  await llama.dispose();
  await rm(folder, { recursive: true, force: true });
});

/** The header of a fixture with other keys. */
function headerOf(name: string, keys: Readonly<Record<string, GgufTypedValue>>): GgufContent["metadata"] {
  const file = parseGguf(fixtureBytes(findFixture(name)));
  const entries = [...file.metadata].map(([key, value]) => {
    if (!isGgufArray(value)) return [key, { type: file.entries.get(key)?.type, value }];
    return [key, { type: "array", of: value.type, value: value.type === "string" ? value.strings : value.numbers }];
  });
  return { ...(Object.fromEntries(entries) as GgufContent["metadata"]), ...keys };
}

/** Vectors of hidden states or rows of scores, from the reference. */
function ours(bytes: Uint8Array<ArrayBuffer>, tokens: readonly number[]): Float64Array[] {
  const { reference } = openReference(openModel(bytes, "variant"));
  return reference.step(tokens.map((token, position) => ({ token, sequence: 0, position, output: position === 0 })));
}

async function theirs<Result>(
  variant: Variant,
  use: (model: LlamaModel, bytes: Uint8Array<ArrayBuffer>) => Promise<Result>,
): Promise<Result> {
  const bytes = makeVariant(variant);
  const modelPath = join(folder, "variant.gguf");
  await writeFile(modelPath, bytes);
  const model = await llama.loadModel({ modelPath, gpuLayers: 0, defaultContextFlashAttention: false });
  try {
    return await use(model, bytes);
  } finally {
    await model.dispose();
  }
}

function cosine(left: ArrayLike<number>, right: ArrayLike<number>): number {
  const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
    Array.from(a, (x, at) => x * (b[at] ?? NaN)).reduce((sum, x) => sum + x, 0);
  return dot(left, right) / Math.sqrt(dot(left, left) * dot(right, right));
}

it("nomic-bert with biases has the vectors of llama.cpp", async () => {
  const variant = {
    architecture: "nomic-bert",
    metadata: headerOf("nomic-bert", {}),
    optional: /attn_qkv|attn_output.bias|token_types/,
  };
  await theirs(variant, async (model, bytes) => {
    const tokens = [2, 112, 22, 107, 123, 53, 61, 3];
    const context = await model.createEmbeddingContext(size);
    const { vector } = await context.getEmbeddingFor(tokens as Token[]);
    const rows = ours(bytes, tokens);
    const mean = vector.map((_, at) => rows.reduce((sum, row) => sum + (row[at] ?? NaN), 0));
    expect(cosine(vector, mean)).toBeGreaterThan(0.99999);
  });
});

it("qwen3 with a pooling has the vectors of llama.cpp", async () => {
  const variant = { architecture: "qwen3", keys: { pooling_type: { type: "uint32", value: 3 } } } as const;
  await theirs(variant, async (model, bytes) => {
    const tokens = [1, 300, 41, 260, 77, 301, 2];
    const context = await model.createEmbeddingContext(size);
    const { vector } = await context.getEmbeddingFor(tokens as Token[]);
    expect(cosine(vector, ours(bytes, tokens).at(-1) ?? [])).toBeGreaterThan(0.99999);
  });
});

it.each(["modern-bert", "bert-rank"])("a reranker of the family of %s has the scores of llama.cpp", async (name) => {
  const architecture = findFixture(name).architecture;
  const pooling = { [`${architecture}.pooling_type`]: { type: "uint32", value: 4 } } as const;
  const variant = {
    architecture,
    metadata: headerOf(name, pooling),
    optional: name === "modern-bert" ? /^cls.(weight|norm|output)|attn_qkv.weight/ : /^cls|token_types/,
  };
  await theirs(variant, async (model, bytes) => {
    const context = await model.createRankingContext(size);
    const [question, document] = [
      [37, 24, 60],
      [54, 72, 79, 105, 33],
    ];
    const probability = await context.rank(question as Token[], document as Token[]);
    const { bos, eos, sep } = model.tokens;
    const marks = { begin: bos ?? 0, end: eos ?? sep ?? 0, between: sep ?? 0 };
    const tokens = [marks.begin, ...question, marks.end, marks.between, ...document, marks.end];
    const score = Math.log(probability / (1 - probability));
    expect(Math.abs((ours(bytes, tokens)[0]?.[0] ?? NaN) - score)).toBeLessThan(geluTolerance);
  });
});
