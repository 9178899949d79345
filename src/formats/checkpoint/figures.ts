/** The figures of a model: config.json → keys of GGUF. */
import type { Config } from "./config.ts";
import { createConfig } from "./config.ts";
import { flag, float, uint } from "./family.ts";
import type { Family, Keys, Sizes } from "./family.ts";
import { familiesByClass } from "./families/table.ts";
import { isObject, malformed, shown, unsupported } from "./json.ts";
import type { Json } from "./json.ts";
import { readRope } from "./rope.ts";

export interface Figures {
  readonly config: Config;
  readonly family: Family;
  /** Without `<architecture>.` in front. */
  readonly keys: Keys;
  readonly sizes: Sizes;
  /** Output and embeddings are one matrix, whatever tensors there are. */
  readonly tied: boolean | undefined;
  /** A classifier or reranker: names of its classes. */
  readonly labels: readonly string[] | undefined;
  readonly constants: ReadonlyMap<string, Float32Array>;
}

/** Throws `model_unsupported` for an architecture that is not known, and what `Config` throws. */
export function readFigures(values: Json, name = "config.json"): Figures {
  const { family, className } = findFamily(values, name);
  const nested = values["text_config"];
  const merged = { ...family.defaults, ...values, ...(isObject(nested) && withoutNulls(nested)) };
  const config = createConfig(merged, name);
  family.check?.(config);
  const sizes = readSizes(config, family);
  const positions = config.requireInteger("max_position_embeddings", "max_trained_positions", "n_positions");
  const contextLength = Math.max(1, positions - sizes.positionOffset);
  const rope =
    family.rope === false ? undefined : readRope({ config, family, headWidth: sizes.headWidth, contextLength });
  return {
    config,
    family,
    keys: {
      ...commonKeys(config, family, sizes),
      context_length: uint(contextLength),
      ...rope?.keys,
      ...family.keys?.(config),
    },
    sizes,
    tied: config.boolean("tie_word_embeddings"),
    labels: className.endsWith("ForSequenceClassification") ? readLabels(config) : undefined,
    constants: rope?.tensors ?? new Map(),
  };
}

function withoutNulls(values: Json): Json {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
}

function findFamily(values: Json, name: string): { readonly family: Family; readonly className: string } {
  const classes = values["architectures"];
  const [className] = Array.isArray(classes) ? (classes as readonly unknown[]) : [];
  if (typeof className !== "string") {
    throw malformed(name, "architectures", `is ${shown(classes)}; it must name the model's class`);
  }
  const family = familiesByClass.get(className);
  if (family) return { family, className };
  const known = [...familiesByClass.keys()].filter((each) => each.endsWith("ForCausalLM") || each.endsWith("Model"));
  throw unsupported(
    name,
    "architectures",
    `is ${shown(className)}, which hearth does not read from SafeTensors`,
    `Look for the model as GGUF, which other engines may run. Known: ${known.join(", ")}.`,
  );
}

const names = {
  layers: ["num_hidden_layers", "num_layers", "n_layer"],
  heads: ["num_attention_heads", "n_head"],
  width: ["hidden_size", "n_embd"],
} as const;

/** Far above what models have; tables are made of these sizes before the weights are looked at. */
const mostWidth = 2 ** 16;

function readSizes(config: Config, family: Family): Sizes {
  const heads = config.requireInteger(...names.heads);
  const headWidth = config.integer("head_dim") ?? Math.floor(config.requireInteger(...names.width) / heads);
  for (const [name, value] of [
    [names.heads[0], heads],
    ["head_dim", headWidth],
  ] as const) {
    if (value >= 1 && value <= mostWidth) continue;
    throw malformed(config.name, name, `is ${value}; it must be from 1 to ${mostWidth}`);
  }
  const padding = config.integer("pad_token_id") ?? 1;
  return {
    layers: config.requireInteger(...names.layers),
    heads,
    // Encoders have as many, whatever their configuration says.
    keyHeads: (family.encoder ? undefined : config.integer("num_key_value_heads")) ?? heads,
    headWidth,
    experts: config.integer("num_local_experts", "num_experts", "n_routed_experts") ?? 0,
    positionOffset: family.paddedPositions ? padding + 1 : 0,
  };
}

/** Of the configurations of nearly all classes. */
const defaultEpsilon = 1e-6;

function commonKeys(config: Config, family: Family, sizes: Sizes): Keys {
  const width = config.requireInteger(...names.width);
  const { heads, keyHeads, headWidth, layers, experts } = sizes;
  const epsilon = config.number("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_eps") ?? defaultEpsilon;
  const isOwnWidth = headWidth * heads !== width || config.integer("head_dim") !== undefined;
  return {
    vocab_size: uint(config.requireInteger("vocab_size")),
    embedding_length: uint(width),
    block_count: uint(layers),
    feed_forward_length: uint(config.integer("intermediate_size", "n_inner") ?? 4 * width),
    "attention.head_count": uint(heads),
    "attention.head_count_kv": uint(keyHeads),
    ...(isOwnWidth && {
      "attention.key_length": uint(headWidth),
      "attention.value_length": uint(headWidth),
    }),
    [family.norm === "rms" ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon"]: float(epsilon),
    ...(experts > 0 && {
      expert_count: uint(experts),
      expert_used_count: uint(config.requireInteger("num_experts_per_tok", "num_experts_per_token")),
    }),
    ...(family.encoder && { "attention.causal": flag(false) }),
  };
}

/** Names of the classes in their order; one class means a score. */
function readLabels(config: Config): readonly string[] {
  const byId = config.object("id2label")?.values;
  const count = byId ? Object.keys(byId).length : (config.integer("num_labels") ?? 2);
  if (count < 1 || count > mostWidth) throw malformed(config.name, "num_labels", `is ${count}`);
  return Array.from({ length: count }, (_, index) => {
    const label = byId?.[String(index)];
    return typeof label === "string" ? label : `LABEL_${index}`;
  });
}
