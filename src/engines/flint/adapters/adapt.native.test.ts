import { describe, expect, it } from "vitest";
import { modelBytes, tinyLlama } from "../../../../test/make-model.ts";
import type { GgufContent, GgufTypedValue } from "../../../formats/gguf/encode.ts";
import { parseGguf } from "../../../formats/gguf/parse.ts";
import { variantContent } from "../__fixtures__/variant.ts";
import { makeLora, mergeLora } from "./__fixtures__/lora.ts";
import { distance, logitsOf, openSteps } from "./__fixtures__/steps.ts";
import { readAdapter } from "./read.ts";

const model = tinyLlama({ seed: 1, embedding: 64, layers: 2, context: 128 });
const every = /^(blk\.\d+\.(attn_(q|k|v|output)|ffn_(gate|up|down))|output)\.weight$/;
const first = makeLora(model, every, { seed: 5, rank: 4, alpha: 8 });
const second = makeLora(model, /ffn_down|attn_q/, { seed: 6, rank: 10 });
const text = [1, 300, 41, 260, 77, 301, 302, 299, 45];

const tolerance = 5e-5;

describe("a model with adapters", () => {
  it("has the logits of a model with merged weights", async () => {
    const adapted = logitsOf(await openSteps(model, [{ content: first, scale: 0.7 }]), text);
    const merged = logitsOf(await openSteps(mergeLora(model, first, 0.7)), text);
    expect(distance(adapted, merged)).toBeLessThan(tolerance);
    expect(distance(adapted, logitsOf(await openSteps(model), text))).toBeGreaterThan(0.1);
  });

  it("adds up several of them, each with the scale of the request", async () => {
    const steps = await openSteps(model, [{ content: first }, { content: second }]);
    const merged = await openSteps(mergeLora(mergeLora(model, first, 0.5), second, -1.5));
    expect(distance(logitsOf(steps, text, [0.5, -1.5]), logitsOf(merged, text))).toBeLessThan(tolerance);
    expect(logitsOf(steps, text, [0, 0])).toEqual(logitsOf(await openSteps(model), text));
  });

  it("adapts one sequence of a step and not the one beside it", async () => {
    const steps = await openSteps(model, [{ content: first }]);
    const alone = { adapted: logitsOf(steps, text, [1]), plain: logitsOf(steps, text, [0]) };
    const [one, other] = steps.tables;
    if (!one || !other) throw new RangeError("no table");
    const part = { tokens: text, position: 0, outputsFrom: 0 };
    steps.run([
      { ...part, table: one, adapters: [0] },
      { ...part, table: other, adapters: [1], outputsFrom: text.length - 1 },
    ]);
    expect(text.map((_, row) => steps.row(row).slice())).toEqual(alone.plain);
    expect(steps.row(text.length).slice()).toEqual(alone.adapted.at(-1));
  });

  it("keeps answers apart from step to step", async () => {
    const steps = await openSteps(model, [{ content: first }]);
    const [one, other] = steps.tables;
    if (!one || !other) throw new RangeError("no table");
    const whole = { adapted: logitsOf(steps, text, [1]), plain: logitsOf(steps, text, [0]) };
    for (const [position, token] of text.entries()) {
      const part = { tokens: [token], position, outputsFrom: 0 };
      steps.run([
        { ...part, table: one, adapters: [1] },
        { ...part, table: other, adapters: [0] },
      ]);
      expect(distance([steps.row(0)], whole.adapted.slice(position, position + 1))).toBeLessThan(tolerance);
      expect(distance([steps.row(1)], whole.plain.slice(position, position + 1))).toBeLessThan(tolerance);
    }
  });

  it.each<[string, GgufContent, RegExp]>([
    [
      "one matrix for queries, keys and values",
      variantContent({ architecture: "llama", optional: /attn_qkv/ }),
      /attn_qkv.weight/,
    ],
    [
      "gate and up in one",
      variantContent({ architecture: "phi3", keys: { "attention.sliding_window": integer(4) } }),
      /ffn_up|ffn_down/,
    ],
    ["experts", mixture(), /exps/],
    ["a router", mixture(), /ffn_gate_inp/],
  ])("adapts %s", async (_, content, names) => {
    const lora = makeLora(content, names, { seed: 7, rank: 3, alpha: 3 });
    const adapted = logitsOf(await openSteps(content, [{ content: lora }]), text);
    expect(distance(adapted, logitsOf(await openSteps(mergeLora(content, lora, 1)), text))).toBeLessThan(tolerance);
    expect(distance(adapted, logitsOf(await openSteps(content), text))).toBeGreaterThan(1e-3);
  });

  it("adapts quantized matrices, and reads adapters of other types", async () => {
    const wide = { seed: 8, rank: 32, alpha: 32 };
    const exact = logitsOf(await openSteps(mergeLora(model, makeLora(model, every, wide), 1)), text);
    for (const [weights, type, most] of [
      ["F32", "F16", 2e-3],
      ["F32", "Q8_0", 0.03],
      ["Q8_0", "F32", 0.05],
    ] as const) {
      const base = tinyLlama({ seed: 1, type: weights, context: 128 });
      const lora = makeLora(model, every, { ...wide, type });
      expect(distance(logitsOf(await openSteps(base, [{ content: lora }]), text), exact)).toBeLessThan(most);
    }
  });
});

describe("an adapter is refused", () => {
  const [a, b] = first.tensors;
  if (!a || !b) throw new Error("no tensors");
  const text = (value: string): GgufTypedValue => ({ type: "string", value });
  const other = (shape: readonly number[]): { shape: readonly number[]; data: Uint8Array } => ({
    shape,
    data: new Uint8Array(shape.reduce((product, length) => product * length, 4)),
  });
  const metadata = (changes: GgufContent["metadata"]): GgufContent => ({
    ...first,
    metadata: { ...first.metadata, ...changes },
  });
  const tensors = (...list: GgufContent["tensors"]): GgufContent => ({ ...first, tensors: list });

  it.each<[string, GgufContent, string, RegExp]>([
    [
      "for another architecture",
      metadata({ "general.architecture": text("qwen2") }),
      "unsupported",
      /"qwen2"; the model's is "llama"/,
    ],
    ["that is a model", model, "unsupported", /general.type says that it is a model/],
    ["of another kind", metadata({ "adapter.type": text("dora") }), "unsupported", /adapter.type is "dora"/],
    [
      "that tokens switch on",
      metadata({ "adapter.alora.invocation_tokens": { type: "array", of: "uint32", value: [1] } }),
      "unsupported",
      /tokens switch on/,
    ],
    [
      "whose alpha is no number",
      metadata({ "adapter.lora.alpha": { type: "float32", value: Number.NaN } }),
      "malformed",
      /adapter.lora.alpha/,
    ],
    ["with nothing in it", tensors(), "malformed", /adapts nothing/],
    ["with half a pair", tensors(a), "malformed", /has its .lora_b missing/],
    ["with the other half", tensors(b), "malformed", /has its .lora_a missing/],
    [
      "with another tensor",
      tensors(a, b, { ...a, name: "blk.0.attn_norm.weight" }),
      "unsupported",
      /attn_norm.weight is neither/,
    ],
    [
      "for a tensor that is not there",
      tensors({ ...a, name: "blk.9.attn_q.weight.lora_a" }, { ...b, name: "blk.9.attn_q.weight.lora_b" }),
      "malformed",
      /blk.9.attn_q.weight is no tensor/,
    ],
    [
      "for token embeddings",
      tensors({ ...a, name: "token_embd.weight.lora_a" }),
      "unsupported",
      /adapts token embeddings/,
    ],
    [
      "of too narrow a model",
      tensors({ ...a, ...other([32, 4]) }, b),
      "malformed",
      /has the shape 32 × 4; for this model it must be 64 × 4/,
    ],
    [
      "of two ranks",
      tensors(a, { ...b, ...other([5, 64]) }),
      "malformed",
      /has the shape 5 × 64; for this model it must be 4 × 792/,
    ],
    [
      "of an absurd rank",
      tensors({ ...a, ...other([64, 5000]) }, { ...b, ...other([5000, 64]) }),
      "malformed",
      /rank 5000/,
    ],
  ])("%s", (_, content, kind, message) => {
    const read = (): unknown =>
      readAdapter(parseGguf(modelBytes(content), { name: "lora.gguf" }), parseGguf(modelBytes(model)), 0);
    expect(read).toThrow(expect.objectContaining({ code: `model_${kind}`, message: expect.stringMatching(message) }));
  });

  it("for a norm", async () => {
    const rank = 4;
    const norm = "blk.0.attn_norm.weight";
    const content = tensors(
      { name: `${norm}.lora_a`, type: "F32", ...other([64, rank]) },
      { name: `${norm}.lora_b`, type: "F32", ...other([rank, 1]) },
    );
    await expect(openSteps(model, [{ content }])).rejects.toMatchObject({
      code: "model_unsupported",
      details: { field: norm },
    });
  });
});

function integer(value: number): GgufTypedValue {
  return { type: "uint32", value };
}

function mixture(): GgufContent {
  const keys = { expert_count: integer(4), expert_used_count: integer(2), feed_forward_length: integer(32) };
  return variantContent({ architecture: "llama", keys });
}
