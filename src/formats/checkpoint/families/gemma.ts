import type { Config } from "../config.ts";
import { float, uint } from "../family.ts";
import type { Family, Keys, ReadKey, Rule } from "../family.ts";
import { unsupported } from "../json.ts";
import { attention, ends, gated, requireActivation } from "./llama.ts";

const plus = (rules: readonly Rule[]): readonly Rule[] => rules.map((rule) => ({ ...rule, plusOne: true }));

const gemmaEnds: readonly Rule[] = ends.map((rule) => (rule.from === "norm" ? { ...rule, plusOne: true } : rule));

function checkGemma(config: Config): void {
  requireActivation(config, ["gelu_pytorch_tanh", "gelu"], "hidden_activation", "hidden_act");
}

export const gemma: Family = {
  architecture: "gemma",
  classes: ["GemmaForCausalLM"],
  rules: [
    ...gemmaEnds.slice(0, 2),
    ...attention,
    ...plus([
      { from: "layers.#.input_layernorm", to: "blk.#.attn_norm" },
      { from: "layers.#.post_attention_layernorm", to: "blk.#.ffn_norm" },
    ]),
    ...gated,
  ],
  ignored: /(^|\.)rotary_emb\.inv_freq$|^lm_head$/,
  norm: "rms",
  defaults: { head_dim: 256, tie_word_embeddings: true },
  check: checkGemma,
  settings: () => ({ hidden_activation: "gelu_pytorch_tanh", tie_word_embeddings: true }),
};

const fourNorms: readonly Rule[] = plus([
  { from: "layers.#.input_layernorm", to: "blk.#.attn_norm" },
  { from: "layers.#.post_attention_layernorm", to: "blk.#.post_attention_norm" },
  { from: "layers.#.pre_feedforward_layernorm", to: "blk.#.ffn_norm" },
  { from: "layers.#.post_feedforward_layernorm", to: "blk.#.post_ffw_norm" },
]);

/** The graph scales scores by the width of a head, and in the largest model by that of the embedding over the heads. */
function checkScale(config: Config, largeLayers: number): void {
  checkGemma(config);
  const width = config.requireInteger("head_dim");
  const heads = config.requireInteger("num_attention_heads");
  const isLarge = config.requireInteger("num_hidden_layers") === largeLayers;
  const expected = isLarge ? Math.floor(config.requireInteger("hidden_size") / heads) : width;
  const scalar = config.number("query_pre_attn_scalar") ?? expected;
  if (scalar === expected) return;
  throw unsupported(config.name, "query_pre_attn_scalar", `is ${scalar}; this architecture has ${expected}`);
}

function capKeys(config: Config): Keys {
  const scores = config.number("attn_logit_softcapping");
  const logits = config.number("final_logit_softcapping");
  return {
    "attention.sliding_window": uint(config.requireInteger("sliding_window")),
    ...(scores !== undefined && { attn_logit_softcapping: float(scores) }),
    ...(logits !== undefined && { final_logit_softcapping: float(logits) }),
  };
}

function capSettings(read: ReadKey): Readonly<Record<string, unknown>> {
  return {
    hidden_activation: "gelu_pytorch_tanh",
    tie_word_embeddings: true,
    sliding_window: read("attention.sliding_window"),
    query_pre_attn_scalar: read("attention.key_length"),
    attn_logit_softcapping: read("attn_logit_softcapping") ?? null,
    final_logit_softcapping: read("final_logit_softcapping") ?? null,
  };
}

export const gemma2: Family = {
  ...gemma,
  architecture: "gemma2",
  classes: ["Gemma2ForCausalLM"],
  rules: [...gemmaEnds.slice(0, 2), ...attention, ...fourNorms, ...gated],
  defaults: {
    ...gemma.defaults,
    sliding_window: 4096,
    attn_logit_softcapping: 50,
    final_logit_softcapping: 30,
  },
  check(config) {
    checkScale(config, 46);
    for (const name of ["attn_logit_softcapping", "final_logit_softcapping"]) {
      if (config.number(name) === undefined) throw unsupported(config.name, name, "is none; this architecture has one");
    }
    checkPattern(config, (layer) => layer % 2 === 1);
  },
  keys: capKeys,
  settings: capSettings,
};

/** Which layers see all tokens is not in the file: the graph knows it. */
function checkPattern(config: Config, isGlobal: (layer: number) => boolean): void {
  const types = config.get("layer_types");
  if (!Array.isArray(types)) return;
  const wrong = types.findIndex((type, layer) => (type === "full_attention") !== isGlobal(layer));
  if (wrong < 0) return;
  throw unsupported(config.name, "layer_types", `says "${String(types[wrong])}" for layer ${wrong}; others are known`);
}

const gemma3Names = /^language_model\.lm_head$|^(vision_tower|multi_modal_projector|vision_model|embed_vision)(\.|$)/;

export const gemma3: Family = {
  ...gemma,
  architecture: "gemma3",
  classes: ["Gemma3ForCausalLM", "Gemma3TextModel", "Gemma3ForConditionalGeneration"],
  modelType: "gemma3_text",
  prefixes: ["model.", "language_model.model.", "model.language_model.", "language_model."],
  ignored: new RegExp(`${gemma.ignored?.source}|${gemma3Names.source}`),
  rules: [
    ...gemmaEnds,
    ...attention,
    ...plus([
      { from: "layers.#.self_attn.q_norm", to: "blk.#.attn_q_norm" },
      { from: "layers.#.self_attn.k_norm", to: "blk.#.attn_k_norm" },
    ]),
    ...fourNorms,
    ...gated,
  ],
  // Those of the configuration's class: files of the models with images leave out what is like this.
  defaults: {
    ...gemma.defaults,
    num_attention_heads: 8,
    num_key_value_heads: 4,
    max_position_embeddings: 131_072,
    rms_norm_eps: 1e-6,
    rope_theta: 1_000_000,
    rope_local_base_freq: 10_000,
    sliding_window: 4096,
    sliding_window_pattern: 6,
  },
  check(config) {
    checkScale(config, 62);
    if (config.boolean("use_bidirectional_attention")) {
      throw unsupported(config.name, "use_bidirectional_attention", "is true; this architecture looks back only");
    }
    const pattern = config.integer("sliding_window_pattern");
    if (pattern !== undefined && pattern !== 6) {
      throw unsupported(config.name, "sliding_window_pattern", `is ${pattern}; this architecture has 6`);
    }
    checkPattern(config, (layer) => layer % 6 === 5);
  },
  keys: capKeys,
  settings: capSettings,
};
