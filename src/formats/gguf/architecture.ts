import { HearthError } from "../../error.ts";
import { at, checkAttention } from "./attention.ts";
import { booleanOf, failKey, integerOf, integersOf, numberOf, stringOf } from "./check.ts";
import type { Range } from "./check.ts";
import type { GgufFile, GgufTensor } from "./types.ts";

/** Layers for which llama.cpp v0.5.0 has room; it aborts above. */
const mostLayers = 512;
const mostExperts = 1024;
const size: Range = [1, 2 ** 20];

/** Integers of `<architecture>.` that native code computes with, whether or not an architecture uses them. */
const integers: Readonly<Record<string, Range>> = {
  context_length: [1, 2 ** 31 - 1],
  embedding_length: size,
  embedding_length_out: size,
  block_count: [1, mostLayers],
  vocab_size: [1, 2 ** 24],
  leading_dense_block_count: [0, mostLayers],
  nextn_predict_layers: [0, mostLayers],
  expert_count: [0, mostExperts],
  expert_shared_count: [0, mostExperts],
  expert_group_count: [0, mostExperts],
  expert_group_used_count: [0, mostExperts],
  expert_shared_feed_forward_length: [0, 2 ** 24],
  "attention.key_length": size,
  "attention.value_length": size,
  "attention.key_length_swa": size,
  "attention.value_length_swa": size,
  "attention.key_length_mla": size,
  "attention.value_length_mla": size,
  "attention.kv_lora_rank": [0, 2 ** 20],
  "attention.q_lora_rank": [0, 2 ** 20],
  "attention.sliding_window": [0, 2 ** 31 - 1],
  "rope.dimension_count": [0, 2 ** 20],
  "rope.scaling.original_context_length": [0, 2 ** 31 - 1],
  "ssm.conv_kernel": [1, 1024],
  "ssm.inner_size": size,
  "ssm.state_size": size,
  "ssm.time_step_rank": size,
  "ssm.group_count": [0, 2 ** 16],
};

/** Integers that may differ from layer to layer. */
const layerIntegers: Readonly<Record<string, Range>> = {
  feed_forward_length: [0, 2 ** 24],
  expert_feed_forward_length: [0, 2 ** 24],
  expert_used_count: [0, mostExperts],
  "attention.head_count": [0, 2 ** 16],
  "attention.head_count_kv": [0, 2 ** 16],
  "attention.sliding_window_pattern": [0, 2 ** 16],
};

const greatest = 3.4e38;
const numbers: Readonly<Record<string, Range>> = {
  "attention.layer_norm_epsilon": [0, 1],
  "attention.layer_norm_rms_epsilon": [0, 1],
  "attention.group_norm_epsilon": [0, 1],
  "attention.max_alibi_bias": [0, greatest],
  "attention.clamp_kqv": [0, greatest],
  "attention.scale": [-greatest, greatest],
  "rope.freq_base": [0, greatest],
  "rope.freq_base_swa": [0, greatest],
  "rope.scale_linear": [-greatest, greatest],
  "rope.scaling.factor": [-greatest, greatest],
  "rope.scaling.attn_factor": [-greatest, greatest],
  logit_scale: [-greatest, greatest],
  attn_logit_softcapping: [0, greatest],
  final_logit_softcapping: [0, greatest],
};

/** Sizes of an image encoder: what comes out of them decides how much memory an image takes. */
const projectorIntegers: Readonly<Record<string, Range>> = {
  image_size: [1, 16_384],
  patch_size: [1, 1024],
  embedding_length: size,
  feed_forward_length: size,
  projection_dim: size,
  block_count: [1, mostLayers],
  "attention.head_count": [1, 2 ** 16],
  num_mel_bins: [1, 4096],
  spatial_merge_size: [1, 64],
  "projector.scale_factor": [1, 64],
  image_min_pixels: [1, 2 ** 28],
  image_max_pixels: [1, 2 ** 28],
};

const ropeScalings: ReadonlySet<string> = new Set(["none", "linear", "yarn", "longrope"]);
/** Models of these families have no attention and may say so with a head count of 0. */
const recurrent = /^(mamba|rwkv|arwkv)/;

/**
 * Checks the sizes of a model against each other and against what native code has room for. `tensors` are those of
 * all parts of the model.
 */
export function checkArchitecture(gguf: GgufFile, architecture: string, tensors: readonly GgufTensor[]): void {
  const key = (name: string): string => `${architecture}.${name}`;
  requireKeys(gguf, architecture, ["context_length", "embedding_length", "block_count"].map(key));
  for (const [name, range] of Object.entries(integers)) integerOf(gguf, key(name), range);
  for (const [name, range] of Object.entries(layerIntegers)) integersOf(gguf, key(name), range);
  for (const [name, range] of Object.entries(numbers)) numberOf(gguf, key(name), range);
  integerOf(gguf, key("pooling_type"), [-1, 4]);
  booleanOf(gguf, key("attention.causal"));
  checkRope(gguf, key);
  checkHeads(gguf, architecture, key);
  checkAttention(gguf, architecture, tensors);
  checkFeedForward(gguf, key, tensors);
  checkExperts(gguf, architecture, key);
  checkLayers(gguf, key);
}

type Key = (name: string) => string;

/** A file with none of the keys is a model of another kind; one with some of them is damaged. */
function requireKeys(gguf: GgufFile, architecture: string, keys: readonly string[]): void {
  const missing = keys.filter((key) => !gguf.metadata.has(key));
  if (missing.length === keys.length) {
    throw new HearthError(
      "model_unsupported",
      `${gguf.name} has the architecture "${architecture}", which is not one of a language model.`,
      { hint: "Only language, embedding and reranking models run from GGUF files." },
    );
  }
  for (const key of missing) failKey(gguf, key, "is missing");
}

/** Checks the sizes of an image or audio encoder. */
export function checkProjector(gguf: GgufFile): void {
  for (const encoder of ["clip.vision", "clip.audio"]) {
    for (const [name, range] of Object.entries(projectorIntegers)) integerOf(gguf, `${encoder}.${name}`, range);
    numberOf(gguf, `${encoder}.attention.layer_norm_epsilon`, [0, 1]);
  }
  const side = integerOf(gguf, "clip.vision.image_size", size);
  const patch = integerOf(gguf, "clip.vision.patch_size", size);
  if (side !== undefined && patch !== undefined && patch > side) {
    failKey(gguf, "clip.vision.patch_size", `is ${patch}, more than the image size of ${side}`);
  }
}

function checkRope(gguf: GgufFile, key: Key): void {
  const scaling = stringOf(gguf, key("rope.scaling.type"));
  if (scaling !== undefined && !ropeScalings.has(scaling)) {
    failKey(gguf, key("rope.scaling.type"), `must be one of ${[...ropeScalings].join(", ")}`);
  }
  const dimensions = integerOf(gguf, key("rope.dimension_count"), [0, 2 ** 20]) ?? 0;
  if (dimensions % 2 !== 0) failKey(gguf, key("rope.dimension_count"), `is ${dimensions}; it must be even`);
  const headSize = integerOf(gguf, key("attention.key_length"), size);
  if (headSize !== undefined && dimensions > headSize) {
    failKey(gguf, key("rope.dimension_count"), `is ${dimensions}, more than the key length of ${headSize}`);
  }
}

function checkHeads(gguf: GgufFile, architecture: string, key: Key): void {
  const heads = integersOf(gguf, key("attention.head_count"), [0, 2 ** 16]);
  const keyValueHeads = integersOf(gguf, key("attention.head_count_kv"), [0, 2 ** 16]) ?? heads;
  if (heads === undefined) {
    if (!recurrent.test(architecture)) failKey(gguf, key("attention.head_count"), "is missing");
    return;
  }
  const perLayer = typeof heads !== "number" || typeof keyValueHeads !== "number";
  const most = typeof heads === "number" ? heads : Math.max(0, ...heads);
  if (most === 0) {
    if (!recurrent.test(architecture)) failKey(gguf, key("attention.head_count"), "is 0");
    return;
  }
  if (perLayer) return checkLayerHeads(gguf, key, { heads, keyValueHeads: keyValueHeads ?? heads });
  if (keyValueHeads === 0 || heads % keyValueHeads !== 0) {
    failKey(gguf, key("attention.head_count_kv"), `is ${keyValueHeads}; it must divide the ${heads} heads`);
  }
  const embedding = integerOf(gguf, key("embedding_length"), size) ?? 0;
  if (!gguf.metadata.has(key("attention.key_length")) && embedding % heads !== 0) {
    failKey(gguf, key("attention.head_count"), `is ${heads}; it must divide the embedding length of ${embedding}`);
  }
}

type PerLayer = readonly number[] | number;

/** A layer without attention has no heads of either kind, or only a count of 0 for keys and values. */
function checkLayerHeads(
  gguf: GgufFile,
  key: Key,
  { heads, keyValueHeads }: { readonly heads: PerLayer; readonly keyValueHeads: PerLayer },
): void {
  const layers = integerOf(gguf, key("block_count"), [1, mostLayers]) ?? 0;
  for (let layer = 0; layer < layers; layer++) {
    const count = at(heads, layer);
    const keyValueCount = at(keyValueHeads, layer);
    if (keyValueCount !== 0 && count % keyValueCount !== 0) {
      failKey(
        gguf,
        key("attention.head_count_kv"),
        `is ${keyValueCount} in layer ${layer}; it must divide the ${count} heads`,
      );
    }
  }
}

/** llama.cpp makes its tables from the sizes alone and aborts at one of 0, so layers that are there need theirs. */
function checkFeedForward(gguf: GgufFile, key: Key, tensors: readonly GgufTensor[]): void {
  const dense = integersOf(gguf, key("feed_forward_length"), [0, 2 ** 24]) ?? 0;
  const expert = integersOf(gguf, key("expert_feed_forward_length"), [0, 2 ** 24]);
  const shared = integersOf(gguf, key("expert_shared_feed_forward_length"), [0, 2 ** 24]);
  for (const { name } of tensors) {
    const match = /^blk\.(\d+)\.ffn_(?:up|down|gate)(_exps|_shexp)?\.weight$/.exec(name);
    if (!match) continue;
    const layer = Number(match[1]);
    const kind = match[2];
    const size = at((kind === "_exps" ? expert : kind === "_shexp" ? shared : dense) ?? dense, layer);
    const byExperts = kind === "_shexp" && shared === undefined;
    if (size === 0 && !byExperts) {
      const prefix = kind === "_exps" && expert !== undefined ? "expert_" : "";
      const field = kind === "_shexp" ? "expert_shared_feed_forward_length" : `${prefix}feed_forward_length`;
      failKey(gguf, key(field), `is missing or 0 for layer ${layer}, which has ${name}`);
    }
  }
}

function checkExperts(gguf: GgufFile, architecture: string, key: Key): void {
  const experts = integerOf(gguf, key("expert_count"), [0, mostExperts]) ?? 0;
  const used = integersOf(gguf, key("expert_used_count"), [0, mostExperts]) ?? 0;
  const mostUsed = typeof used === "number" ? used : Math.max(0, ...used);
  if (mostUsed > experts) failKey(gguf, key("expert_used_count"), `is ${mostUsed}, more than the ${experts} experts`);
  // Of these models one expert means none.
  const fewest = architecture.startsWith("hunyuan") ? 2 : 1;
  if (experts >= fewest && mostUsed === 0)
    failKey(gguf, key("expert_used_count"), `is 0, but of experts there are ${experts}`);
  const groups = integerOf(gguf, key("expert_group_count"), [0, mostExperts]) ?? 0;
  const usedGroups = integerOf(gguf, key("expert_group_used_count"), [0, mostExperts]) ?? 0;
  if (groups > 0 && groups >= experts) {
    failKey(gguf, key("expert_group_count"), `is ${groups}, but there are ${experts} experts`);
  }
  if (groups > 1 && (experts % groups !== 0 || usedGroups === 0 || usedGroups >= groups)) {
    failKey(gguf, key("expert_group_count"), `is ${groups}, which does not fit ${experts} experts, ${usedGroups} used`);
  }
}

function checkLayers(gguf: GgufFile, key: Key): void {
  const layers = integerOf(gguf, key("block_count"), [1, mostLayers]) ?? 0;
  const predicted = integerOf(gguf, key("nextn_predict_layers"), [0, mostLayers]) ?? 0;
  if (predicted >= layers) {
    failKey(gguf, key("nextn_predict_layers"), `is ${predicted}, but there are ${layers} layers in all`);
  }
}
