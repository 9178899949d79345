import { pairs } from "../family.ts";
import type { ChooseRows, Family, Part, Rule } from "../family.ts";
import { inverseFrequencies, requireSilu } from "./llama.ts";

const exaoneRules: readonly Rule[] = [
  { from: "wte", to: "token_embd" },
  { from: "ln_f", to: "output_norm" },
  { from: "lm_head", to: "output" },
  { from: "h.#.ln_1", to: "blk.#.attn_norm" },
  { from: "h.#.attn.attention.q_proj", to: "blk.#.attn_q" },
  { from: "h.#.attn.attention.k_proj", to: "blk.#.attn_k" },
  { from: "h.#.attn.attention.v_proj", to: "blk.#.attn_v" },
  { from: "h.#.attn.attention.out_proj", to: "blk.#.attn_output" },
  { from: "h.#.ln_2", to: "blk.#.ffn_norm" },
  { from: "h.#.mlp.c_fc_0", to: "blk.#.ffn_gate" },
  { from: "h.#.mlp.c_fc_1", to: "blk.#.ffn_up" },
  { from: "h.#.mlp.c_proj", to: "blk.#.ffn_down" },
];

export const exaone: Family = {
  architecture: "exaone",
  classes: ["ExaoneForCausalLM"],
  prefixes: ["transformer."],
  rules: exaoneRules,
  ignored: inverseFrequencies,
  norm: "rms",
  ropeFactors: true,
  check: requireSilu,
  settings: (read) => ({
    activation_function: "silu",
    num_layers: read("block_count"),
    layer_norm_epsilon: read("attention.layer_norm_rms_epsilon"),
  }),
};

/** Rows of one group after the other: those of its queries, of its key, of its value. */
function grouped(part: "q" | "k" | "v"): ChooseRows {
  return (rows, sizes) => {
    const { heads, keyHeads, headWidth } = sizes;
    const perGroup = heads / keyHeads;
    const first = part === "q" ? 0 : part === "k" ? perGroup : perGroup + 1;
    const count = part === "q" ? perGroup : 1;
    const at = (row: number): number => {
      const head = Math.floor(row / headWidth);
      const group = Math.floor(head / count);
      return (group * (perGroup + 2) + first + (head % count)) * headWidth + (row % headWidth);
    };
    const n = rows === (heads + 2 * keyHeads) * headWidth ? keyHeads * count * headWidth : NaN;
    if (part === "v") return { n, at };
    const paired = pairs(part === "q" ? "heads" : "keyHeads")(n, sizes);
    return { n, at: (row) => at(paired.at(row)) };
  };
}

const parts: readonly Part[] = [
  { to: "blk.#.attn_k", rows: grouped("k") },
  { to: "blk.#.attn_v", rows: grouped("v") },
];

export const internlm2: Family = {
  architecture: "internlm2",
  classes: ["InternLM2ForCausalLM"],
  rules: [
    { from: "tok_embeddings", to: "token_embd" },
    { from: "norm", to: "output_norm" },
    { from: "output", to: "output" },
    { from: "layers.#.attention_norm", to: "blk.#.attn_norm" },
    { from: "layers.#.attention.wqkv", to: "blk.#.attn_q", rows: grouped("q"), and: parts },
    { from: "layers.#.attention.wo", to: "blk.#.attn_output" },
    { from: "layers.#.ffn_norm", to: "blk.#.ffn_norm" },
    { from: "layers.#.feed_forward.w1", to: "blk.#.ffn_gate" },
    { from: "layers.#.feed_forward.w3", to: "blk.#.ffn_up" },
    { from: "layers.#.feed_forward.w2", to: "blk.#.ffn_down" },
  ],
  ignored: inverseFrequencies,
  norm: "rms",
  ropeFactors: true,
  check: requireSilu,
};
