import type { Config } from "../config.ts";
import { uint } from "../family.ts";
import type { Family, Keys, ReadKey, Rule } from "../family.ts";
import { unsupported } from "../json.ts";
import { attention, ends, experts, gated, inverseFrequencies, norms, requireSilu } from "./llama.ts";

const headNorms: readonly Rule[] = [
  { from: "layers.#.self_attn.q_norm", to: "blk.#.attn_q_norm" },
  { from: "layers.#.self_attn.k_norm", to: "blk.#.attn_k_norm" },
];

const sharedExpert: readonly Rule[] = [
  { from: "layers.#.mlp.shared_expert.gate_proj", to: "blk.#.ffn_gate_shexp" },
  { from: "layers.#.mlp.shared_expert.up_proj", to: "blk.#.ffn_up_shexp" },
  { from: "layers.#.mlp.shared_expert.down_proj", to: "blk.#.ffn_down_shexp" },
  { from: "layers.#.mlp.shared_expert_gate", to: "blk.#.ffn_gate_inp_shexp", squeeze: true },
];

export const qwen2: Family = {
  architecture: "qwen2",
  classes: ["Qwen2ForCausalLM", "Qwen2Model"],
  rules: [...ends, ...attention, ...norms, ...gated],
  ignored: inverseFrequencies,
  norm: "rms",
  check(config) {
    requireSilu(config);
    if (config.boolean("use_sliding_window")) throw window(config);
  },
  settings: () => ({ use_sliding_window: false }),
};

function window(config: Config): Error {
  return unsupported(config.name, "use_sliding_window", "is true; this architecture sees all tokens in every layer");
}

export const qwen3: Family = {
  ...qwen2,
  architecture: "qwen3",
  classes: ["Qwen3ForCausalLM", "Qwen3Model"],
  rules: [...ends, ...attention, ...headNorms, ...norms, ...gated],
};

function expertKeys(config: Config): Keys {
  const shared = config.integer("shared_expert_intermediate_size");
  return {
    expert_feed_forward_length: uint(config.requireInteger("moe_intermediate_size")),
    ...(shared !== undefined && { expert_shared_feed_forward_length: uint(shared) }),
  };
}

function expertSettings(read: ReadKey): Readonly<Record<string, unknown>> {
  return {
    use_sliding_window: false,
    moe_intermediate_size: read("expert_feed_forward_length"),
    num_experts: read("expert_count"),
    decoder_sparse_step: 1,
    mlp_only_layers: [],
  };
}

/** Experts in every layer, and the share of each in the sum as the graph has it. */
function checkExperts(config: Config, normalized: boolean): void {
  qwen2.check?.(config);
  const dense = config.get("mlp_only_layers");
  if ((config.integer("decoder_sparse_step") ?? 1) !== 1 || (Array.isArray(dense) && dense.length > 0)) {
    throw unsupported(config.name, "decoder_sparse_step", "says that some layers have no experts");
  }
  if ((config.boolean("norm_topk_prob") ?? normalized) !== normalized) {
    throw unsupported(config.name, "norm_topk_prob", `is ${!normalized}; this architecture has ${normalized}`);
  }
}

export const qwen2moe: Family = {
  ...qwen2,
  architecture: "qwen2moe",
  classes: ["Qwen2MoeForCausalLM"],
  modelType: "qwen2_moe",
  rules: [...ends, ...attention, ...norms, ...experts, ...sharedExpert],
  ownOutput: true,
  check: (config) => checkExperts(config, false),
  keys: expertKeys,
  settings: (read) => ({
    ...expertSettings(read),
    norm_topk_prob: false,
    shared_expert_intermediate_size: read("expert_shared_feed_forward_length"),
  }),
};

export const qwen3moe: Family = {
  ...qwen2,
  architecture: "qwen3moe",
  classes: ["Qwen3MoeForCausalLM"],
  modelType: "qwen3_moe",
  rules: [...ends, ...attention, ...headNorms, ...norms, ...experts],
  check: (config) => checkExperts(config, true),
  keys: expertKeys,
  settings: (read) => ({ ...expertSettings(read), norm_topk_prob: true }),
};
