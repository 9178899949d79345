import type { Config } from "../config.ts";
import { float, half, uint } from "../family.ts";
import type { Family, Keys, ReadKey, Rule } from "../family.ts";
import { unsupported } from "../json.ts";
import { ends, gated, inverseFrequencies, norms, pairedAttention, requireSilu } from "./llama.ts";

const multipliers: readonly (readonly [setting: string, key: string])[] = [
  ["embedding_multiplier", "embedding_scale"],
  ["attention_multiplier", "attention.scale"],
  ["residual_multiplier", "residual_scale"],
  ["logits_scaling", "logit_scale"],
];

function scaleKeys(config: Config): Keys {
  const shared = config.integer("shared_intermediate_size") ?? 0;
  return {
    ...Object.fromEntries(multipliers.map(([setting, key]) => [key, float(config.number(setting) ?? 1)])),
    ...(shared > 0 && { expert_shared_feed_forward_length: uint(shared) }),
  };
}

function scaleSettings(read: ReadKey): Readonly<Record<string, unknown>> {
  return Object.fromEntries(multipliers.map(([setting, key]) => [setting, read(key) ?? 1]));
}

function checkGranite(config: Config): void {
  requireSilu(config);
  const positions = config.text("position_embedding_type") ?? "rope";
  if (positions !== "rope") throw unsupported(config.name, "position_embedding_type", `is "${positions}"`);
}

export const granite: Family = {
  architecture: "granite",
  classes: ["GraniteForCausalLM"],
  rules: [...ends, ...pairedAttention, ...norms, ...gated],
  ignored: inverseFrequencies,
  norm: "rms",
  ropeFactors: true,
  check: checkGranite,
  keys: scaleKeys,
  settings: scaleSettings,
};

/** Gate and up are in one tensor, gate first. */
const mixture: readonly Rule[] = [
  { from: "layers.#.block_sparse_moe.router.layer", to: "blk.#.ffn_gate_inp" },
  { from: "layers.#.block_sparse_moe.router", to: "blk.#.ffn_gate_inp" },
  ...["block_sparse_moe.input_linear", "block_sparse_moe.experts.gate_up_proj"].map((name) => ({
    from: `layers.#.${name}`,
    to: "blk.#.ffn_gate_exps",
    rows: half(0, true),
    and: [{ to: "blk.#.ffn_up_exps", rows: half(1, true) }],
  })),
  { from: "layers.#.block_sparse_moe.output_linear", to: "blk.#.ffn_down_exps" },
  { from: "layers.#.block_sparse_moe.experts.down_proj", to: "blk.#.ffn_down_exps" },
  {
    from: "layers.#.shared_mlp.input_linear",
    to: "blk.#.ffn_gate_shexp",
    rows: half(0),
    and: [{ to: "blk.#.ffn_up_shexp", rows: half(1) }],
  },
  { from: "layers.#.shared_mlp.output_linear", to: "blk.#.ffn_down_shexp" },
];

export const granitemoe: Family = {
  ...granite,
  architecture: "granitemoe",
  classes: ["GraniteMoeForCausalLM", "GraniteMoeSharedForCausalLM"],
  rules: [...ends, ...pairedAttention, ...norms, ...mixture],
  settings: (read) => ({ ...scaleSettings(read), num_local_experts: read("expert_count") }),
};
