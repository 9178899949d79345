import type { Config } from "../config.ts";
import { text, uint } from "../family.ts";
import type { Family, Keys, Rule } from "../family.ts";
import { unsupported } from "../json.ts";
import { requireActivation } from "./llama.ts";

const embeddings: readonly Rule[] = [
  { from: "embeddings.word_embeddings", to: "token_embd" },
  {
    from: "embeddings.position_embeddings",
    to: "position_embd",
    rows: (rows, { positionOffset }) => ({ n: rows - positionOffset, at: (row) => row + positionOffset }),
  },
  { from: "embeddings.token_type_embeddings", to: "token_types" },
  { from: "embeddings.LayerNorm", to: "token_embd_norm" },
];

/** Of a reranker or classifier. */
const head: readonly Rule[] = [
  { from: "pooler.dense", to: "cls" },
  { from: "classifier", to: "cls.output" },
  { from: "classifier.dense", to: "cls" },
  { from: "classifier.out_proj", to: "cls.output" },
];

function checkBert(config: Config): void {
  requireActivation(config, ["gelu"], "hidden_act");
  const positions = config.text("position_embedding_type") ?? "absolute";
  if (positions !== "absolute") throw unsupported(config.name, "position_embedding_type", `is "${positions}"`);
  if (config.boolean("is_decoder")) throw unsupported(config.name, "is_decoder", "is true; only encoders are known");
}

export const bert: Family = {
  architecture: "bert",
  classes: ["BertModel", "BertForMaskedLM", "BertForSequenceClassification"],
  prefixes: ["", "bert."],
  rules: [
    ...embeddings,
    { from: "encoder.layer.#.attention.self.query", to: "blk.#.attn_q" },
    { from: "encoder.layer.#.attention.self.key", to: "blk.#.attn_k" },
    { from: "encoder.layer.#.attention.self.value", to: "blk.#.attn_v" },
    { from: "encoder.layer.#.attention.output.dense", to: "blk.#.attn_output" },
    { from: "encoder.layer.#.attention.output.LayerNorm", to: "blk.#.attn_output_norm" },
    { from: "encoder.layer.#.intermediate.dense", to: "blk.#.ffn_up" },
    { from: "encoder.layer.#.output.dense", to: "blk.#.ffn_down" },
    { from: "encoder.layer.#.output.LayerNorm", to: "blk.#.layer_output_norm" },
    ...head,
  ],
  ignored: /^(cls\.|lm_head|embeddings\.position_ids$)/,
  norm: "layer",
  encoder: true,
  rope: false,
  defaults: { layer_norm_eps: 1e-12 },
  check: checkBert,
};

/** The same graph; the first positions of its table stand for padding and are left out. */
export const roberta: Family = {
  ...bert,
  classes: [
    "RobertaModel",
    "RobertaForMaskedLM",
    "RobertaForSequenceClassification",
    "XLMRobertaModel",
    "XLMRobertaForMaskedLM",
    "XLMRobertaForSequenceClassification",
  ],
  prefixes: ["", "roberta."],
  paddedPositions: true,
};

function checkNomic(config: Config): void {
  requireActivation(config, ["swiglu", "silu"], "activation_function", "hidden_act");
  for (const [name, usual] of [
    ["prenorm", false],
    ["rotary_emb_interleaved", false],
    ["rotary_emb_fraction", 1],
    ["parallel_block", false],
    ["use_rms_norm", false],
    ["num_experts", 0],
  ] as const) {
    const value = config.get(name) ?? usual;
    if (value !== usual)
      throw unsupported(config.name, name, `is ${JSON.stringify(value)}; this architecture has ${usual}`);
  }
}

/** Queries, keys and values are one tensor in GGUF, and in the checkpoints that came first. */
export const nomicBert: Family = {
  architecture: "nomic-bert",
  classes: ["NomicBertModel"],
  modelType: "nomic_bert",
  prefixes: ["", "bert."],
  rules: [
    { from: "emb_ln", to: "token_embd_norm" },
    ...embeddings.filter(({ to }) => to !== "position_embd"),
    { from: "encoder.layers.#.attn.Wqkv", to: "blk.#.attn_qkv" },
    { from: "encoder.layers.#.attn.out_proj", to: "blk.#.attn_output" },
    { from: "encoder.layers.#.norm1", to: "blk.#.attn_output_norm" },
    { from: "encoder.layers.#.mlp.fc12", to: "blk.#.ffn_gate" },
    { from: "encoder.layers.#.mlp.fc11", to: "blk.#.ffn_up" },
    { from: "encoder.layers.#.mlp.fc2", to: "blk.#.ffn_down" },
    { from: "encoder.layers.#.norm2", to: "blk.#.layer_output_norm" },
    { from: "layers.#.self_attn.q_proj", to: "blk.#.attn_qkv", place: 0 },
    { from: "layers.#.self_attn.k_proj", to: "blk.#.attn_qkv", place: 1 },
    { from: "layers.#.self_attn.v_proj", to: "blk.#.attn_qkv", place: 2 },
    { from: "layers.#.self_attn.o_proj", to: "blk.#.attn_output" },
    { from: "layers.#.post_attention_layernorm", to: "blk.#.attn_output_norm" },
    { from: "layers.#.mlp.gate_proj", to: "blk.#.ffn_gate" },
    { from: "layers.#.mlp.up_proj", to: "blk.#.ffn_up" },
    { from: "layers.#.mlp.down_proj", to: "blk.#.ffn_down" },
    { from: "layers.#.post_mlp_layernorm", to: "blk.#.layer_output_norm" },
    ...head,
  ],
  ignored: /^(cls\.|embeddings\.position_ids$)|(^|\.)(rotary_emb\.)?inv_freq$/,
  norm: "layer",
  encoder: true,
  check: checkNomic,
};

/** One layer of so many sees all tokens, the first of them. */
function readPeriod(config: Config): number {
  const types = config.get("layer_types");
  if (!Array.isArray(types)) return config.integer("global_attn_every_n_layers") ?? 3;
  const isGlobal = types.map((type) => type === "full_attention");
  const second = isGlobal.indexOf(true, 1);
  const period = second < 0 ? isGlobal.length : second;
  if (isGlobal.every((global, layer) => global === (layer % period === 0))) return period;
  throw unsupported(config.name, "layer_types", "has no period");
}

function windowKeys(config: Config): Keys {
  const activation = config.text("hidden_activation") ?? "gelu";
  const labelled = config.get("architectures");
  if (Array.isArray(labelled) && labelled[0] === "ModernBertForSequenceClassification") {
    const pooling = config.text("classifier_pooling") ?? "cls";
    if (pooling !== "mean") {
      throw unsupported(config.name, "classifier_pooling", `is "${pooling}"; this architecture ranks by "mean"`);
    }
  }
  return {
    "attention.sliding_window": uint(config.integer("local_attention") ?? 128),
    "attention.sliding_window_pattern": uint(readPeriod(config)),
    "rope.scaling.type": text("none"),
    ...(activation !== "gelu" && { hidden_activation: text(activation) }),
  };
}

export const modernBert: Family = {
  architecture: "modern-bert",
  classes: ["ModernBertModel", "ModernBertForMaskedLM", "ModernBertForSequenceClassification"],
  modelType: "modernbert",
  prefixes: ["", "model."],
  rules: [
    { from: "embeddings.tok_embeddings", to: "token_embd" },
    { from: "embeddings.norm", to: "token_embd_norm" },
    { from: "layers.#.attn_norm", to: "blk.#.attn_norm" },
    { from: "layers.#.attn.Wqkv", to: "blk.#.attn_qkv" },
    { from: "layers.#.attn.Wo", to: "blk.#.attn_output" },
    { from: "layers.#.mlp_norm", to: "blk.#.ffn_norm" },
    { from: "layers.#.mlp.Wi", to: "blk.#.ffn_up" },
    { from: "layers.#.mlp.Wo", to: "blk.#.ffn_down" },
    { from: "final_norm", to: "output_norm" },
    { from: "head.dense", to: "cls" },
    { from: "head.norm", to: "cls.norm" },
    { from: "classifier", to: "cls.output" },
  ],
  ignored: /^decoder(\.|$)|(^|\.)(rotary_emb\.)?inv_freq$/,
  norm: "layer",
  encoder: true,
  check: (config) => requireActivation(config, ["gelu", "silu"], "hidden_activation"),
  keys: windowKeys,
  settings: (read) => ({
    local_attention: read("attention.sliding_window"),
    global_attn_every_n_layers: read("attention.sliding_window_pattern") ?? 3,
    hidden_activation: read("hidden_activation") ?? "gelu",
    classifier_pooling: "mean",
  }),
};
