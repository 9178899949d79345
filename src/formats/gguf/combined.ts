/**
 * Files of Ollama's own engine that hold a language model and its encoder of pictures (Gemma 3): one header seen as the
 * two that other engines have. Offsets stay those of the file.
 */
import type { ModelInfo } from "../../spec/model.ts";
import { integerOf, numberOf, stringOf } from "./check.ts";
import type { GgufFile, GgufTensor, GgufValue } from "./types.ts";

/** Families that are known to be made so, by `general.architecture`. */
const families: ReadonlySet<string> = new Set(["gemma3"]);

export function isCombined(file: GgufFile): boolean {
  const architecture = stringOf(file, "general.architecture") ?? "";
  return families.has(architecture) && file.metadata.has(`${architecture}.vision.block_count`);
}

/** The same by what is known of a model. */
export function isCombinedModel({ architecture, metadata }: Pick<ModelInfo, "architecture" | "metadata">): boolean {
  return families.has(architecture) && Object.hasOwn(metadata, `${architecture}.vision.block_count`);
}

const isVision = ({ name }: GgufTensor): boolean => /^(v|mm)\./.test(name);

/** The language model; any other file as it is. What Ollama takes for granted is said, as llama.cpp's converter says it. */
export function languageHeader(file: GgufFile): GgufFile {
  if (!isCombined(file)) return file;
  const number = (name: string): number | undefined => numberOf(file, `gemma3.${name}`, [0, 3.4e38]);
  const implied: Readonly<Record<string, number>> = {
    "attention.layer_norm_rms_epsilon": 1e-6,
    "rope.freq_base": number("rope.global.freq_base") ?? 1e6,
    "rope.freq_base_swa": number("rope.local.freq_base") ?? 1e4,
    // All of these models were trained so; the one without pictures was not.
    "rope.scaling.factor": 8,
  };
  const metadata = new Map(file.metadata);
  for (const [name, value] of Object.entries(implied)) {
    if (!metadata.has(`gemma3.${name}`)) metadata.set(`gemma3.${name}`, value);
  }
  if (!metadata.has("gemma3.rope.scaling.type")) metadata.set("gemma3.rope.scaling.type", "linear");
  const tensors = file.tensors.filter((tensor) => !isVision(tensor));
  return { ...file, metadata, tensors, allTensors: file.tensors };
}

const patterns = [
  [/^v\.patch_embedding\./, "v.patch_embd."],
  [/^v\.position_embedding\./, "v.position_embd."],
  [/^v\.post_layernorm\./, "v.post_ln."],
  [/^(v\.blk\.\d+\.)layer_norm/, "$1ln"],
  [/^(v\.blk\.\d+\.)attn_output\./, "$1attn_out."],
  [/^(v\.blk\.\d+\.)mlp\.fc1\./, "$1ffn_up."],
  [/^(v\.blk\.\d+\.)mlp\.fc2\./, "$1ffn_down."],
  [/^mm\.mm_/, "mm."],
] as const;

const figures = [
  "image_size",
  "patch_size",
  "embedding_length",
  "feed_forward_length",
  "block_count",
  "attention.head_count",
  "attention.layer_norm_epsilon",
];

/** The encoder of pictures, as a projector file of llama.cpp has it; any other file as it is. */
export function projectorHeader(file: GgufFile): GgufFile {
  if (!isCombined(file)) return file;
  const metadata = new Map<string, GgufValue>([
    ["general.architecture", "clip"],
    ["clip.has_vision_encoder", true],
    ["clip.projector_type", "gemma3"],
    ["clip.use_gelu", true],
  ]);
  for (const name of figures) {
    const value = file.metadata.get(`gemma3.vision.${name}`);
    if (value !== undefined) metadata.set(`clip.vision.${name}`, value);
  }
  const integer = (name: string): number | undefined => integerOf(file, `gemma3.${name}`, [1, 2 ** 24]);
  const width = integer("embedding_length");
  if (width !== undefined) metadata.set("clip.vision.projection_dim", width);
  const side = Math.floor((integer("vision.image_size") ?? 0) / (integer("vision.patch_size") ?? 1));
  const rows = Math.round(Math.sqrt(integer("mm.tokens_per_image") ?? 256));
  metadata.set("clip.vision.projector.scale_factor", Math.max(1, Math.floor(side / rows)));
  const half = { type: "float32", length: 3, numbers: Float32Array.of(0.5, 0.5, 0.5) } as const;
  metadata.set("clip.vision.image_mean", half).set("clip.vision.image_std", half);
  const tensors = file.tensors.filter(isVision).map((tensor) => ({ ...tensor, name: renamed(tensor.name) }));
  return { ...file, metadata, tensors, allTensors: file.tensors };
}

function renamed(name: string): string {
  return patterns.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), name);
}
