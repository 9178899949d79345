import { describe, expect, it } from "vitest";
import { tinyLlama, modelBytes } from "../../../test/make-model.ts";
import { parseGguf } from "../../formats/gguf/parse.ts";
import type { GgufFile, GgufTensor } from "../../formats/gguf/types.ts";
import { kinds, shorten } from "./__fixtures__/kinds.ts";
import type { Kind } from "./__fixtures__/kinds.ts";
import golden from "./__fixtures__/types.json" with { type: "json" };
import { chooseTypes, isQuantizable } from "./choose.ts";
import type { MixName } from "./mixes.ts";

const tiny = parseGguf(modelBytes(tinyLlama({ layers: 1 })));

/** The header of a model with such tensors, and no data. */
function fileOf({ metadata, shapes }: Kind): GgufFile {
  const tensors = Object.entries(shapes).map(([name, shape]): GgufTensor => ({
    name,
    shape,
    type: 0,
    typeName: "F32",
    offset: 0,
    sizeBytes: 0,
  }));
  return { ...tiny, metadata: new Map(Object.entries(metadata)), tensors };
}

describe("the types of a model's tensors", () => {
  // scripts/golden/types.ts asks llama-quantize.
  for (const kind of kinds) {
    const expected = golden[kind.name as keyof typeof golden];
    it.each(Object.entries(expected))(`are those of llama.cpp: ${kind.name}, %s`, (mix, types) => {
      const [type = "", importance] = mix.split("+");
      const options = { mix: type as MixName, rules: [], importance: importance !== undefined };
      expect(shorten(chooseTypes(fileOf(kind), options).map(({ to }) => to))).toBe(types);
    });
  }

  const file = parseGguf(modelBytes(tinyLlama({ layers: 2, embedding: 256 })));
  const choose = (pattern: RegExp) =>
    chooseTypes(file, { mix: "q4_k_m", rules: [{ pattern, type: "Q6_K" }], importance: false });

  it("are what the user says for the tensors that a pattern names", () => {
    const chosen = choose(/blk\.1\.ffn_up/);
    expect(chosen.filter(({ to }) => to === "Q6_K").map(({ tensor }) => tensor.name)).toContain("blk.1.ffn_up.weight");
    expect(chosen.find(({ tensor }) => tensor.name === "blk.0.ffn_up.weight")?.to).toBe("Q4_K");
  });

  it("are refused when a pattern names no tensor that can be quantized", () => {
    expect(() => choose(/ffn_upp/)).toThrow(/ffn_upp/);
    expect(() => choose(/attn_norm/)).toThrow(/attn_norm/);
  });

  it("leave norms, vectors and routers as they are", () => {
    const tensor = (name: string, shape: readonly number[]): GgufTensor => ({ ...file.tensors[0]!, name, shape });
    expect(isQuantizable(tensor("blk.0.attn_norm.weight", [256, 2]))).toBe(false);
    expect(isQuantizable(tensor("blk.0.attn_q.weight", [256, 1]))).toBe(false);
    expect(isQuantizable(tensor("blk.0.ffn_gate_inp.weight", [256, 8]))).toBe(false);
    expect(isQuantizable(tensor("blk.0.attn_q.bias", [256, 2]))).toBe(false);
    expect(isQuantizable(tensor("blk.0.attn_q.weight", [256, 256]))).toBe(true);
  });
});
