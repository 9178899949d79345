import type { Family, Rule } from "../family.ts";
import { half, pairs } from "../family.ts";
import { unsupported } from "../json.ts";
import type { Config } from "../config.ts";

/** Tensors that stand before and behind the layers of nearly every decoder. */
export const ends: readonly Rule[] = [
  { from: "embed_tokens", to: "token_embd" },
  { from: "norm", to: "output_norm" },
  { from: "lm_head", to: "output" },
];

/** Queries, keys and values that are rotated as halves on both sides. */
export const attention: readonly Rule[] = [
  { from: "layers.#.self_attn.q_proj", to: "blk.#.attn_q" },
  { from: "layers.#.self_attn.k_proj", to: "blk.#.attn_k" },
  { from: "layers.#.self_attn.v_proj", to: "blk.#.attn_v" },
  { from: "layers.#.self_attn.o_proj", to: "blk.#.attn_output" },
];

/** The same where GGUF rotates neighbouring pairs. */
export const pairedAttention: readonly Rule[] = [
  { from: "layers.#.self_attn.q_proj", to: "blk.#.attn_q", rows: pairs("heads") },
  { from: "layers.#.self_attn.k_proj", to: "blk.#.attn_k", rows: pairs("keyHeads") },
  ...attention.slice(2),
];

export const norms: readonly Rule[] = [
  { from: "layers.#.input_layernorm", to: "blk.#.attn_norm" },
  { from: "layers.#.post_attention_layernorm", to: "blk.#.ffn_norm" },
];

export const gated: readonly Rule[] = [
  { from: "layers.#.mlp.gate_proj", to: "blk.#.ffn_gate" },
  { from: "layers.#.mlp.up_proj", to: "blk.#.ffn_up" },
  { from: "layers.#.mlp.down_proj", to: "blk.#.ffn_down" },
];

/** Experts, one by one or in one tensor for all; gate and up in one tensor then. */
export const experts: readonly Rule[] = [
  { from: "layers.#.mlp.gate", to: "blk.#.ffn_gate_inp" },
  { from: "layers.#.mlp.experts.*.gate_proj", to: "blk.#.ffn_gate_exps" },
  { from: "layers.#.mlp.experts.*.up_proj", to: "blk.#.ffn_up_exps" },
  { from: "layers.#.mlp.experts.*.down_proj", to: "blk.#.ffn_down_exps" },
  {
    from: "layers.#.mlp.experts.gate_up_proj",
    to: "blk.#.ffn_gate_exps",
    rows: half(0, true),
    and: [{ to: "blk.#.ffn_up_exps", rows: half(1, true) }],
  },
  { from: "layers.#.mlp.experts.down_proj", to: "blk.#.ffn_down_exps" },
];

const mixtral: readonly Rule[] = [
  { from: "layers.#.block_sparse_moe.gate", to: "blk.#.ffn_gate_inp" },
  { from: "layers.#.block_sparse_moe.experts.*.w1", to: "blk.#.ffn_gate_exps" },
  { from: "layers.#.block_sparse_moe.experts.*.w3", to: "blk.#.ffn_up_exps" },
  { from: "layers.#.block_sparse_moe.experts.*.w2", to: "blk.#.ffn_down_exps" },
];

/** Frequencies that every engine computes itself. */
export const inverseFrequencies: RegExp = /(^|\.)rotary_emb\.inv_freq$/;

/** The feed-forward part of these graphs has SiLU and nothing else. */
export function requireSilu(config: Config): void {
  requireActivation(config, ["silu", "swish"], "hidden_act", "activation_function", "hidden_activation");
}

export function requireActivation(config: Config, known: readonly string[], ...names: readonly string[]): void {
  const name = config.text(...names);
  if (name === undefined || known.includes(name)) return;
  throw unsupported(config.name, names[0] ?? "", `is "${name}"; this architecture has ${known[0]}`);
}

export const llama: Family = {
  architecture: "llama",
  classes: ["LlamaForCausalLM", "LLaMAForCausalLM", "MistralForCausalLM", "MixtralForCausalLM"],
  rules: [...ends, ...pairedAttention, ...norms, ...gated, ...mixtral, ...experts],
  ignored: inverseFrequencies,
  norm: "rms",
  ropeFactors: true,
  check: requireSilu,
};

/** Rotates halves in its checkpoints, and every fourth layer not at all: which ones GGUF does not say. */
export const smollm3: Family = {
  ...llama,
  architecture: "smollm3",
  classes: ["SmolLM3ForCausalLM"],
  rules: [...ends, ...pairedAttention, ...norms, ...gated],
  ropeFactors: false,
  check(config) {
    requireSilu(config);
    const rotated = config.get("no_rope_layers");
    const usual = (value: unknown, layer: number): boolean => value === ((layer + 1) % 4 === 0 ? 0 : 1);
    if (Array.isArray(rotated) && !rotated.every(usual)) {
      throw unsupported(config.name, "no_rope_layers", "is not that every fourth layer has no rope");
    }
  },
  settings: () => ({ no_rope_layer_interval: 4 }),
};

export const xverse: Family = {
  ...llama,
  architecture: "xverse",
  classes: ["XverseForCausalLM"],
  rules: [...ends, ...pairedAttention, ...norms, ...gated],
  defaults: { rms_norm_eps: 1e-6 },
};

/** Rotates neighbouring pairs in its checkpoints too. */
export const ernie45: Family = {
  ...llama,
  architecture: "ernie4_5",
  classes: ["Ernie4_5ForCausalLM", "Ernie4_5_ForCausalLM"],
  prefixes: ["model.", "ernie."],
  rules: [...ends, ...attention, ...norms, ...gated],
};
