import { flag, uint } from "../family.ts";
import type { Family } from "../family.ts";
import { attention, ends, gated, inverseFrequencies, norms, requireSilu } from "./llama.ts";

/** Queries, keys and values are one tensor on both sides, and so are gate and up. */
export const phi3: Family = {
  architecture: "phi3",
  classes: ["Phi3ForCausalLM"],
  rules: [
    ...ends,
    ...norms,
    { from: "layers.#.self_attn.qkv_proj", to: "blk.#.attn_qkv" },
    ...attention.slice(3),
    { from: "layers.#.mlp.gate_up_proj", to: "blk.#.ffn_up" },
    { from: "layers.#.mlp.down_proj", to: "blk.#.ffn_down" },
  ],
  ignored: inverseFrequencies,
  norm: "rms",
  ropeFactors: true,
  check: requireSilu,
  keys: (config) => ({ "attention.sliding_window": uint(config.integer("sliding_window") ?? 0) }),
  settings: (read) => ({ sliding_window: read("attention.sliding_window") || null }),
};

export const olmo2: Family = {
  architecture: "olmo2",
  classes: ["Olmo2ForCausalLM"],
  rules: [
    ...ends,
    ...attention,
    { from: "layers.#.self_attn.q_norm", to: "blk.#.attn_q_norm" },
    { from: "layers.#.self_attn.k_norm", to: "blk.#.attn_k_norm" },
    { from: "layers.#.post_attention_layernorm", to: "blk.#.post_attention_norm" },
    { from: "layers.#.post_feedforward_layernorm", to: "blk.#.post_ffw_norm" },
    ...gated,
  ],
  ignored: inverseFrequencies,
  norm: "rms",
  ownOutput: true,
  check: requireSilu,
};

export const stablelm: Family = {
  architecture: "stablelm",
  classes: ["StableLmForCausalLM", "StableLMEpochForCausalLM"],
  rules: [
    ...ends,
    ...attention,
    { from: "layers.#.self_attn.q_layernorm.norms.*", to: "blk.#.attn_q_norm" },
    { from: "layers.#.self_attn.k_layernorm.norms.*", to: "blk.#.attn_k_norm" },
    ...norms,
    ...gated,
  ],
  ignored: inverseFrequencies,
  norm: "layer",
  ownOutput: true,
  check: requireSilu,
  keys: (config) => ({ use_parallel_residual: flag(config.boolean("use_parallel_residual") ?? false) }),
  settings: (read) => ({ use_parallel_residual: read("use_parallel_residual") ?? false }),
};
