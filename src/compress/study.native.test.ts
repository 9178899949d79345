import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeTinyLlama } from "../../test/make-model.ts";
import { temporaryFolder } from "../../test/cli/run-main.ts";
import { createGgufTokenizer } from "../engines/flint/tokenizer/gguf.ts";
import { parseGguf } from "../formats/gguf/parse.ts";
import { evaluateModel } from "./evaluate/evaluate.ts";
import type { EvaluateOptions } from "./evaluate/evaluate.ts";
import { defaultText } from "./evaluate/text.ts";
import { collectImportance, leastTokens } from "./imatrix/collect.ts";
import { quantizeModel } from "./quantize/quantize.ts";

// Real computing by flint, with tiny models.
async function setUp() {
  const folder = temporaryFolder();
  const path = await makeTinyLlama(join(folder, "tiny.gguf"), { embedding: 128, layers: 2 });
  const { text } = await defaultText();
  return { folder, path, text: { name: "part.txt", text: text.slice(0, 16_000) } };
}

describe("the importance of columns", () => {
  it("is the mean square of what enters a matrix", async () => {
    const { path, text } = await setUp();
    const { file, tokens } = await collectImportance(path, { name: "tiny", text, threads: 2 });
    const bytes = new Uint8Array(readFileSync(path));
    const header = parseGguf(bytes);
    const table = header.tensors.find(({ name }) => name === "token_embd.weight");
    const start = header.dataOffset + (table?.offset ?? 0);
    const floats = new Float32Array(bytes.slice(start, start + (table?.sizeBytes ?? 0)).buffer);
    const tokenizer = createGgufTokenizer(header.metadata);
    const all = [tokenizer.bos ?? 0, ...tokenizer.encode(text.text, { special: false, start: true })].slice(0, tokens);
    // The first layer's q sees normed embeddings; each window begins anew.
    const expected = new Float64Array(128);
    for (const [index, token] of all.entries()) {
      const row = floats.subarray((index % 512 === 0 ? (tokenizer.bos ?? 0) : token) * 128).subarray(0, 128);
      const scale = row.reduce((sum, value) => sum + value * value, 0) / 128 + 1e-5;
      row.forEach((value, column) => (expected[column]! += (value * value) / scale));
    }
    // What follows the last token of a window is not computed.
    const { sums, counts } = file.entries.get("blk.0.attn_q.weight") ?? { sums: new Float32Array(), counts: [] };
    expect(counts[0]).toBe(tokens - tokens / 512);
    for (let column = 0; column < 128; column++) expect(sums[column]! / expected[column]!).toBeCloseTo(1, 1);
  });

  it("is known of every matrix of the layers", async () => {
    const { path, text } = await setUp();
    const { file, perplexity } = await collectImportance(path, { name: "tiny", text, threads: 1 });
    const parts = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"];
    const names = [0, 1].flatMap((layer) => parts.map((part) => `blk.${layer}.${part}.weight`));
    expect([...file.entries.keys()].toSorted()).toEqual(names.toSorted());
    for (const { counts } of file.entries.values()) expect(counts[0]).toBe(file.entries.get(names[0] ?? "")?.counts[0]);
    expect(perplexity.value).toBeGreaterThan(1);
  });

  it("is not guessed from a text that is too short", async () => {
    const { path, text } = await setUp();
    const short = { ...text, text: text.text.slice(0, 500) };
    await expect(collectImportance(path, { name: "tiny", text: short, threads: 1 })).rejects.toMatchObject({
      code: "bad_request",
      message: new RegExp(`at least ${leastTokens}`),
    });
  });
});

describe("how good a model is", () => {
  const evaluate = async (own: Partial<EvaluateOptions>) => {
    const { folder, path, text } = await setUp();
    const model = { name: "tiny", path };
    const options = { model, text, threads: 2, folder: join(folder, "rows"), tokens: 2048, ...own };
    return { folder, path, options, result: await evaluateModel(options) };
  };

  it("says that a model agrees with itself", async () => {
    const { options, folder, result } = await evaluate({});
    const { comparison, perplexity, speed } = await evaluateModel({ ...options, reference: options.model });
    expect(comparison?.divergence.value).toBeLessThan(1e-6);
    expect(comparison?.agreement.value).toBe(1);
    expect(comparison?.referencePerplexity.value).toBe(perplexity.value);
    expect(perplexity.value).toBe(result.perplexity.value);
    expect(speed.textRate).toBeGreaterThan(0);
    expect(speed.answerRate).toBeGreaterThan(0);
    expect(readdirSync(join(folder, "rows"))).toEqual([]);
  });

  it("falls with the bits", async () => {
    const { options, path, folder } = await evaluate({});
    const divergences: number[] = [];
    for (const mix of ["q8_0", "q4_0"] as const) {
      const out = join(folder, `${mix}.gguf`);
      await quantizeModel({ source: path, out, mix, threads: 2 });
      const { comparison } = await evaluateModel({
        ...options,
        model: { name: mix, path: out },
        reference: options.model,
      });
      divergences.push(comparison?.divergence.value ?? 0);
    }
    const [eight = 0, four = 0] = divergences;
    expect(eight).toBeGreaterThan(1e-7);
    expect(four).toBeGreaterThan(10 * eight);
  });

  it("counts right answers", async () => {
    const list = [
      { question: "hello", choices: ["world", "zzzzqqqq"], answer: 0 },
      { question: "hello", choices: ["world", "zzzzqqqq"], answer: 1 },
    ];
    const { result } = await evaluate({ questions: { name: "q.jsonl", list } });
    expect(result.choices).toMatchObject({ questions: 2, accuracy: { value: 0.5 } });
  });

  it("is not compared with a model of another vocabulary", async () => {
    const { options, folder } = await evaluate({});
    const path = await makeTinyLlama(join(folder, "other.gguf"), { embedding: 64, vocabulary: 2000 });
    const other = evaluateModel({ ...options, reference: { name: "other", path } });
    await expect(other).rejects.toMatchObject({ code: "bad_request", message: /another vocabulary/ });
  });

  it("is not measured with less than a window of text", async () => {
    const { options } = await evaluate({});
    const short = evaluateModel({ ...options, text: { name: "short.txt", text: "Too short." } });
    await expect(short).rejects.toMatchObject({ code: "bad_request", message: /shorter than a window/ });
  });
});

describe("a model that makes embeddings", () => {
  it("is refused", async () => {
    const { folder, text } = await setUp();
    const { makeTinyBert } = await import("../../test/make-model.ts");
    const path = await makeTinyBert(join(folder, "bert.gguf"));
    writeFileSync(join(folder, "x"), "");
    const model = { name: "bert", path };
    await expect(evaluateModel({ model, text, threads: 1, folder })).rejects.toMatchObject({
      code: "unsupported_capability",
    });
  });
});
