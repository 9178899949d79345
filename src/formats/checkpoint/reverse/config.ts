/** `config.json` and `generation_config.json` from the keys of a GGUF file. */
import { HearthError } from "../../../error.ts";
import { integerOf, stringOf, stringsOf } from "../../gguf/check.ts";
import type { GgufFile } from "../../gguf/types.ts";
import { isGgufArray } from "../../gguf/types.ts";
import { samplingNames } from "../extras.ts";
import type { Family, ReadKey, Sizes } from "../family.ts";
import { familiesByArchitecture } from "../families/table.ts";
import { restoreRope } from "./rope.ts";

export interface RestoredConfig {
  readonly family: Family;
  readonly sizes: Sizes;
  readonly ranks: boolean;
  readonly config: Readonly<Record<string, unknown>>;
  /** Undefined: the file says nothing of sampling. */
  readonly generation: Readonly<Record<string, unknown>> | undefined;
}

export interface ConfigFacts {
  /** Whether the file has a tensor. */
  readonly has: (name: string) => boolean;
  /** Values of a tensor of divisors of frequencies. */
  readonly factors: (name: string) => Float32Array | undefined;
  /** `float16` and the like. */
  readonly dtype: string;
}

const any = [0, 2 ** 31] as const;

/** Throws `model_unsupported` for an architecture whose checkpoints are not known. */
export function restoreConfig(file: GgufFile, facts: ConfigFacts): RestoredConfig {
  const architecture = stringOf(file, "general.architecture") ?? "";
  const family = familiesByArchitecture.get(architecture);
  if (!family) {
    throw new HearthError("model_unsupported", `${file.name} has the architecture "${architecture}".`, {
      hint: `Checkpoints are written for ${[...familiesByArchitecture.keys()].join(", ")}.`,
      details: { field: "general.architecture" },
    });
  }
  const read = (key: string): ReturnType<ReadKey> => {
    const value = file.metadata.get(`${architecture}.${key}`);
    if (isGgufArray(value)) return undefined;
    return typeof value === "bigint" ? Number(value) : value;
  };
  const sizes = readSizes(file, architecture);
  const isRank = read("pooling_type") === 4;
  const name = className(family, { isRank, experts: sizes.experts });
  const settings = {
    architectures: [name],
    model_type: name.startsWith("Mixtral") ? "mixtral" : (family.modelType ?? architecture),
    ...commonSettings(file, { architecture, family, sizes, read }),
    ...(family.rope === false ? {} : restoreRope({ file, architecture, read, sizes, factors: facts.factors })),
    ...biasSettings(facts.has),
    ...(family.encoder ? {} : { tie_word_embeddings: !facts.has("output.weight") }),
    ...family.settings?.(read),
    ...(isRank && labelSettings(file, architecture)),
    ...(architecture === "modern-bert" && {
      global_rope_theta: read("rope.freq_base"),
      local_rope_theta: read("rope.freq_base_swa"),
    }),
    torch_dtype: facts.dtype,
  };
  return { family, sizes, ranks: isRank, config: settings, generation: samplingSettings(file) };
}

export function readSizes(file: GgufFile, architecture: string): Sizes {
  const integer = (name: string): number | undefined => integerOf(file, `${architecture}.${name}`, any);
  const heads = integer("attention.head_count") ?? 1;
  const width = integer("embedding_length") ?? 0;
  return {
    layers: integer("block_count") ?? 0,
    heads,
    keyHeads: integer("attention.head_count_kv") ?? heads,
    headWidth: integer("attention.key_length") ?? Math.floor(width / heads),
    experts: integer("expert_count") ?? 0,
    positionOffset: 0,
  };
}

interface ClassFacts {
  readonly isRank: boolean;
  readonly experts: number;
}

function className({ classes }: Family, { isRank, experts }: ClassFacts): string {
  const wanted = isRank
    ? "ForSequenceClassification"
    : experts > 0 && classes.includes("MixtralForCausalLM")
      ? "Mixtral"
      : "";
  return classes.find((name) => name.includes(wanted)) ?? classes[0] ?? "";
}

interface CommonSource {
  readonly architecture: string;
  readonly family: Family;
  readonly sizes: Sizes;
  readonly read: ReadKey;
}

function commonSettings(file: GgufFile, { architecture, family, sizes, read }: CommonSource): Record<string, unknown> {
  const { layers, heads, keyHeads, headWidth, experts } = sizes;
  const epsilon = family.norm === "rms" ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon";
  const names = { rms: "rms_norm_eps", layer: architecture === "modern-bert" ? "norm_eps" : "layer_norm_eps" };
  const tokens = stringsOf(file, "tokenizer.ggml.tokens");
  const types = read("pooling_type") === undefined && !family.encoder ? undefined : tokenTypes(file);
  const role = (name: string): number | undefined => integerOf(file, `tokenizer.ggml.${name}_token_id`, any);
  return {
    vocab_size: tokens?.length ?? read("vocab_size"),
    hidden_size: read("embedding_length"),
    intermediate_size: read("feed_forward_length"),
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: keyHeads,
    ...(read("attention.key_length") !== undefined && { head_dim: headWidth }),
    max_position_embeddings: read("context_length"),
    [names[family.norm]]: read(epsilon),
    [architecture.startsWith("gemma") || architecture === "modern-bert" ? "hidden_activation" : "hidden_act"]:
      activation(family),
    ...(experts > 0 && {
      [architecture.startsWith("qwen") ? "num_experts" : "num_local_experts"]: experts,
      num_experts_per_tok: read("expert_used_count"),
    }),
    ...(types !== undefined && { type_vocab_size: types }),
    // Left out, they would be those of the first model of the class.
    bos_token_id: role("bos") ?? null,
    eos_token_id: role("eos") ?? null,
    pad_token_id: role("padding") ?? null,
    ...(family.encoder && { cls_token_id: role("cls") ?? null, sep_token_id: role("seperator") ?? null }),
  };
}

function tokenTypes(file: GgufFile): number | undefined {
  return file.tensors.find(({ name }) => name === "token_types.weight")?.shape[1];
}

function activation({ encoder, architecture }: Family): string {
  return encoder && architecture !== "nomic-bert" ? "gelu" : "silu";
}

/** Which projections have biases: each class has a word of its own for that. */
function biasSettings(has: ConfigFacts["has"]): Record<string, unknown> {
  const attention = has("blk.0.attn_q.bias");
  return {
    attention_bias: attention && has("blk.0.attn_output.bias"),
    use_qkv_bias: attention,
    mlp_bias: has("blk.0.ffn_up.bias"),
    qk_layernorm: has("blk.0.attn_q_norm.weight"),
  };
}

function labelSettings(file: GgufFile, architecture: string): Record<string, unknown> {
  const labels = [...(stringsOf(file, `${architecture}.classifier.output_labels`) ?? ["LABEL_0"])];
  return {
    id2label: Object.fromEntries(labels.map((label, index) => [String(index), label])),
    label2id: Object.fromEntries(labels.map((label, index) => [label, index])),
  };
}

function samplingSettings(file: GgufFile): Record<string, unknown> | undefined {
  const found = samplingNames.flatMap(([key, name]) => {
    const value = file.metadata.get(`general.sampling.${key}`);
    return typeof value === "number" || typeof value === "bigint" ? [[name, Number(value)] as const] : [];
  });
  return found.length === 0 ? undefined : { do_sample: true, ...Object.fromEntries(found) };
}
