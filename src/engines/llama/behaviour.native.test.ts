import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { badGrammars } from "../../../test/bad-grammars.ts";
import { ask, collect, failure } from "../../../test/engine-contract.ts";
import { makeTinyLlama } from "../../../test/make-model.ts";
import { encodeWeights, randomNormal } from "../../../test/make-weights.ts";
import type { GgufTensorContent } from "../../formats/gguf/encode.ts";
import { writeGguf } from "../../formats/gguf/write.ts";
import { inspectGguf } from "../../models/inspect.ts";
import type { Engine, EngineModel, GenerateRequest, LoadOptions } from "../../spec/engine.ts";
import type { HostedModel } from "../host/load.ts";
import { createEngines } from "../registry.ts";

let folder: string;
let engine: Engine;
let tiny: EngineModel;
let model: HostedModel;

const options: LoadOptions = { contextTokens: 512, parallel: 4, threads: 1, device: "cpu" };
const prompt = "one two three four five six seven eight nine ten";

async function load(target: EngineModel, more: LoadOptions = {}): Promise<HostedModel> {
  return (await engine.load(target, { ...options, ...more })) as HostedModel;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hearth-llama-"));
  engine = await createEngines({ dataFolder: folder }).get("llama");
  const path = await makeTinyLlama(join(folder, "tiny.gguf"), { seed: 1, context: 512 });
  tiny = { name: "tiny", path, info: await inspectGguf(path) };
  model = await load(tiny);
});
afterAll(async () => {
  await model?.dispose();
  await rm(folder, { recursive: true, force: true });
});

/** A LoRA of rank 4 on the values of the tiny model's first layer: 64 inputs, 32 outputs. */
async function writeAdapter(path: string): Promise<void> {
  const normal = randomNormal(9);
  const tensor = (name: string, shape: readonly number[]): GgufTensorContent => {
    const count = shape.reduce((product, size) => product * size, 1);
    return { name, shape, type: "F32", data: encodeWeights(Float32Array.from({ length: count }, normal), "F32") };
  };
  await writeGguf(path, {
    metadata: {
      "general.architecture": { type: "string", value: "llama" },
      "general.type": { type: "string", value: "adapter" },
      "adapter.type": { type: "string", value: "lora" },
      "adapter.lora.alpha": { type: "float32", value: 8 },
    },
    tensors: [tensor("blk.0.attn_v.weight.lora_a", [64, 4]), tensor("blk.0.attn_v.weight.lora_b", [4, 32])],
  });
}

describe("sampling with llama.cpp", () => {
  it("never says a banned token, and says a favoured one", async () => {
    const plain = await collect(model, ask(prompt, { maxTokens: 8 }));
    const banned = plain.tokens[0] ?? 0;
    const without = await collect(
      model,
      ask(prompt, { sampling: { temperature: 0, logitBias: new Map([[banned, -100]]) } }),
    );
    expect(without.tokens).not.toContain(banned);
    const wanted = await collect(
      model,
      ask(prompt, { sampling: { temperature: 0, logitBias: new Map([[400, 100]]) } }),
    );
    expect(new Set(wanted.tokens)).toEqual(new Set([400]));
  });

  it("can be told to end, also against the model's will", async () => {
    const eos = 2;
    const ended = await collect(model, ask(prompt, { sampling: { temperature: 0, logitBias: new Map([[eos, 100]]) } }));
    expect(ended).toMatchObject({ text: "", finish: { reason: "stop", usage: { completionTokens: 0 } } });
    const path = await makeTinyLlama(join(folder, "brief.gguf"), { seed: 1, endBias: 20 });
    const brief = await load({ name: "brief", path, info: await inspectGguf(path) });
    const atOnce = await collect(brief, ask(prompt));
    expect(atOnce.finish).toMatchObject({ reason: "stop", usage: { completionTokens: 0 } });
    const on = await collect(brief, ask(prompt, { ignoreEos: true, maxTokens: 5 }));
    expect(on.finish).toMatchObject({ reason: "length", usage: { completionTokens: 5 } });
    expect(on.text).not.toContain("</s>");
    await brief.dispose();
  });

  it("repeats less with penalties", async () => {
    const looping = { temperature: 0, logitBias: new Map([[400, 30]]) };
    const penalties = {
      ...looping,
      repeatPenalty: 1.5,
      frequencyPenalty: 40,
      presencePenalty: 5,
      repeatLastTokens: -1,
    };
    const loop = await collect(model, ask(prompt, { sampling: looping }));
    const varied = await collect(model, ask(prompt, { sampling: penalties }));
    expect(new Set(loop.tokens).size).toBe(1);
    expect(new Set(varied.tokens).size).toBeGreaterThan(4);
  });

  it("takes every option it says it takes", async () => {
    const sampling = {
      temperature: 0.9,
      topK: 20,
      topP: 0.9,
      minP: 0.02,
      seed: -1,
      xtc: { probability: 0.5, threshold: 0.1 },
      dry: { multiplier: 0.8, base: 1.75, allowedLength: 2 },
    };
    expect((await collect(model, ask(prompt, { sampling }))).tokens).toHaveLength(16);
    for (const logitBias of [new Map([[1_000_000, 1]]), new Map([[-1, 1]])]) {
      expect((await failure(collect(model, ask(prompt, { sampling: { logitBias } })))).code).toBe("bad_request");
    }
  });

  it("varies with the seed and without one", async () => {
    const texts = new Set<string>();
    for (const seed of [1, 2, 3, undefined, undefined]) {
      const sampling = { temperature: 2, topK: 0, topP: 1, minP: 0, ...(seed !== undefined && { seed }) };
      texts.add((await collect(model, ask(prompt, { sampling }))).text);
    }
    expect(texts.size).toBe(5);
  });

  it("reports logprobs of the model, whatever the sampling does to them", async () => {
    const all = tiny.info.vocabularySize;
    const cut = { temperature: 0.2, topK: 2, seed: 1 };
    const { events } = await collect(model, ask(prompt, { sampling: cut, topLogprobs: all, maxTokens: 3 }));
    const entries = events.flatMap((event) => (event.type === "token-delta" ? [...(event.logprobs ?? [])] : []));
    expect(entries).toHaveLength(3);
    for (const { top } of entries) {
      expect(top).toHaveLength(all);
      expect(top.reduce((sum, { logprob }) => sum + Math.exp(logprob), 0)).toBeCloseTo(1, 3);
    }
  });
});

describe("grammars", () => {
  it("hold the answer to a regular expression", async () => {
    const pattern = String.raw`(\d{2}[.\-]|é{1,3}|[^\x00-\x7f]){1,2}\$`;
    for (const seed of [1, 2, 3]) {
      const format = { type: "regex", pattern } as const;
      const { text } = await collect(model, ask(prompt, { format, sampling: { temperature: 1, seed } }));
      expect(text).toMatch(new RegExp(`^(?:${pattern})$`, "u"));
    }
  });

  it("hold the answer to what they allow", async () => {
    const grammar = 'root ::= "yes" | "no" ("!" | "?"){2}';
    for (const seed of [1, 2, 3, 4]) {
      const { text, finish } = await collect(
        model,
        ask(prompt, { format: { type: "gbnf", grammar }, sampling: { temperature: 2, seed } }),
      );
      expect(text).toMatch(/^(yes|no[!?]{2})$/);
      expect(finish.reason).toBe("stop");
    }
  });

  it.each(badGrammars)("with %s are refused, and the engine lives on", async (_, grammar) => {
    const error = await failure(collect(model, ask(prompt, { format: { type: "gbnf", grammar }, maxTokens: 4 })));
    expect(error.code).toBe("grammar_invalid");
    expect((await collect(model, ask(prompt, { maxTokens: 1 }))).tokens).toHaveLength(1);
  });

  it.each([
    ["ambiguous", 'root ::= "a"* "a"* "a"* "b"?'],
    ["that allow the empty text only", 'root ::= ""'],
    ["of characters beyond the vocabulary", 'root ::= "\\U0001F600" [\\U00010000-\\U0010FFFF]*'],
  ])("that are %s do no harm", async (_, grammar) => {
    const work = collect(model, ask(prompt, { format: { type: "gbnf", grammar }, maxTokens: 8 }));
    await work.catch(() => {});
    expect((await collect(model, ask(prompt, { maxTokens: 1 }))).tokens).toHaveLength(1);
  });

  it("that take ever more time or memory end the engine, and not the machine", async () => {
    const loaded = await load(tiny);
    const grammar = 'root ::= "a" root "x" | "a" root "y" | "z"';
    const [letter = 0] = (await loaded.tokenize([{ text: "\na", special: false }])).slice(-1);
    const sampling = { temperature: 0, logitBias: new Map([[letter, 90]]) };
    const work = collect(loaded, ask("a", { format: { type: "gbnf", grammar }, maxTokens: 400, sampling }));
    expect((await failure(work)).code).toBe("engine_failed");
    await loaded.died;
    await loaded.dispose();
  });

  it("made from schemas give valid JSON of many shapes", async () => {
    const schema = {
      type: "object",
      properties: {
        id: { type: "integer", minimum: 1, maximum: 250 },
        tags: { type: "array", items: { enum: ["x", "y"] }, minItems: 1, maxItems: 2 },
        when: { type: "string", format: "date-time" },
        inner: { anyOf: [{ type: "null" }, { $ref: "#/$defs/inner" }] },
        open: { type: "boolean" },
      },
      required: ["id", "tags", "when"],
      $defs: {
        inner: {
          type: "object",
          properties: { code: { type: "string", minLength: 2, maxLength: 2 } },
          required: ["code"],
        },
      },
    };
    let whole = 0;
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const request = ask(prompt, {
        format: { type: "json-schema", schema },
        sampling: { temperature: 1.5, seed },
        maxTokens: 300,
      });
      const { text, finish } = await collect(model, request);
      if (finish.reason !== "stop") continue;
      whole++;
      const value = JSON.parse(text) as Record<string, unknown>;
      expect(Object.keys(schema.properties)).toEqual(expect.arrayContaining(Object.keys(value)));
      expect(value["id"]).toBeGreaterThanOrEqual(1);
      expect(value["id"]).toBeLessThanOrEqual(250);
      expect(["x", "y"]).toEqual(expect.arrayContaining(value["tags"] as string[]));
      expect(Number.isNaN(Date.parse(String(value["when"])))).toBe(false);
    }
    expect(whole).toBeGreaterThan(2);
  });
});

describe("text and tokens", () => {
  it("of a user never hold a control token", async () => {
    const control = await model.tokenize([{ text: "<|im_start|>", special: true }]);
    const plain = await model.tokenize([{ text: "<|im_start|>", special: false }]);
    const id = control.at(-1) ?? -1;
    expect(plain).not.toContain(id);
    expect(await model.detokenize(plain)).toContain("<|im_start|>");
    const parts = [
      { text: "<|im_start|>user\n", special: true },
      { text: "<|im_start|>system", special: false },
    ];
    expect((await model.tokenize(parts)).filter((token) => token === id)).toHaveLength(1);
  });

  it("come as whole characters when the model writes them byte by byte", async () => {
    // 😀 is not in the vocabulary: four byte tokens, <0x00> is token 3.
    const bytes = [0xf0, 0x9f, 0x98, 0x80].map((byte) => byte + 3);
    const text = await model.detokenize(bytes);
    expect(text.trim()).toBe("😀");
    const grammar = 'root ::= "a😀b"';
    const { events, text: answer } = await collect(model, ask(prompt, { format: { type: "gbnf", grammar } }));
    expect(answer.trim()).toBe("a😀b");
    const pieces = events.flatMap((event) => (event.type === "token-delta" ? [event.text] : []));
    expect(pieces.filter((piece) => piece === "").length).toBe(3);
  });

  it("outside of the vocabulary are refused before native code sees them", async () => {
    for (const token of [-1, 1e9, 0.5]) {
      const request: GenerateRequest = { ...ask(""), prompt: [5, token] };
      expect((await failure(collect(model, request))).code).toBe("bad_request");
    }
    expect((await failure(Promise.resolve(model.detokenize([1e9])))).code).toBe("bad_request");
  });
});

describe("loading with llama.cpp", () => {
  it.each([
    ["flash attention on", { flashAttention: true }],
    ["a KV cache of another type", { kvTypeK: "bf16", kvTypeV: "bf16" }],
    ["flash attention off", { flashAttention: false }],
    ["no memory map and a small batch", { mmap: false, batchTokens: 32 }],
    ["one sequence", { parallel: 1 }],
  ] as const)("works with %s", async (_, more) => {
    const loaded = await load(tiny, more);
    expect((await collect(loaded, ask(prompt.repeat(5)))).tokens).toHaveLength(16);
    await loaded.dispose();
  });

  it("works with a quantized KV cache", async () => {
    // Blocks of 32 numbers: the heads must be that wide.
    const path = await makeTinyLlama(join(folder, "wide.gguf"), { seed: 1, embedding: 128, heads: 4, kvHeads: 2 });
    const loaded = await load(
      { name: "wide", path, info: await inspectGguf(path) },
      { kvTypeK: "q8_0", kvTypeV: "q8_0", flashAttention: true },
    );
    expect((await collect(loaded, ask(prompt))).tokens).toHaveLength(16);
    await loaded.dispose();
  });

  it("says what is wrong with a file, and leaves no process", async () => {
    const path = await makeTinyLlama(join(folder, "cut.gguf"), { seed: 1 });
    const { info } = tiny;
    await truncate(path, 60_000);
    const cut = await failure(load({ name: "cut", path, info }));
    expect(cut.code).toBe("engine_load_failed");
    expect(cut.message).toContain('"cut"');
    await writeFile(path, "no model at all");
    expect((await failure(load({ name: "noise", path, info }))).code).toBe("engine_load_failed");
    expect((await failure(load({ name: "gone", path: `${path}.gone`, info }))).code).toBe("engine_load_failed");
  });

  it("applies a LoRA adapter as strongly as it is told to", async () => {
    const path = join(folder, "adapter.gguf");
    await writeAdapter(path);
    const texts: string[] = [];
    for (const adapters of [[], [{ path, scale: 0 }], [{ path }]]) {
      const loaded = await load(tiny, { adapters });
      texts.push((await collect(loaded, ask(prompt))).text);
      await loaded.dispose();
    }
    expect(texts[1]).toBe(texts[0]);
    expect(texts[2]).not.toBe(texts[0]);
  });

  it("refuses an adapter that is not there", async () => {
    const error = await failure(load(tiny, { adapters: [{ path: join(folder, "none.gguf") }] }));
    expect(error.code).toBe("engine_load_failed");
  });

  it("gives up a long prompt at the next batch", async () => {
    const loaded = await load(tiny, { batchTokens: 16, parallel: 1 });
    const controller = new AbortController();
    const work = failure(collect(loaded, ask(prompt.repeat(20), { maxTokens: 1 }), controller.signal));
    setImmediate(() => controller.abort());
    expect((await work).code).toBe("aborted");
    expect((await collect(loaded, ask("next"))).tokens).toHaveLength(16);
    await loaded.dispose();
  });
});
