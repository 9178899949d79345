/** A checkpoint as a GGUF file that nobody has written. */
import { HearthError } from "../../error.ts";
import type { GgufTypedValue } from "../gguf/encode.ts";
import { ggmlType } from "../gguf/ggml.ts";
import type { GgufFile, GgufTensor } from "../gguf/types.ts";
import { cardKeys, readPooling, rankPooling, samplingKeys, templateKeys } from "./extras.ts";
import { text, uint } from "./family.ts";
import { readFigures } from "./figures.ts";
import type { Figures } from "./figures.ts";
import { listCheckpoint } from "./files.ts";
import type { CheckpointFiles } from "./files.ts";
import { readJsonFile } from "./json.ts";
import type { Json } from "./json.ts";
import { toEntries, toMetadata } from "./metadata.ts";
import type { TypedMetadata } from "./metadata.ts";
import { readTokenizer } from "./tokenizer/read.ts";
import { schemeKey } from "./scheme.ts";
import { alignment, layOut } from "./virtual.ts";
import type { ReadData, VirtualData } from "./virtual.ts";
import { openWeights } from "./weights.ts";
import type { WeightOptions } from "./weights.ts";

export interface Checkpoint {
  /** The header; `dataOffset` is 0, since there is none in front of the data. */
  readonly file: GgufFile;
  /** The metadata with their types, to be written. */
  readonly metadata: TypedMetadata;
  /** Bytes of the data, from the offsets that the tensors have. */
  readonly read: ReadData;
  /** How the weights are quantized, for people; undefined: they are not. */
  readonly scheme: string | undefined;
  /** What its tokenizer does that GGUF has no words for; flint reads the tokenizer.json in the metadata instead. */
  readonly tokenizerProblem: string | undefined;
  /** Tensors of the checkpoint that the model has no use for. */
  readonly ignored: readonly string[];
  readonly close: () => void;
}

/**
 * Opens a folder, or files that are a checkpoint together: headers and small files are read and checked, weights only when
 * `read` asks for them. Throws `model_malformed`, `model_unsupported` and `model_not_found`, each with what is wrong where.
 */
export function openCheckpoint(source: string | CheckpointFiles, options: WeightOptions = {}): Checkpoint {
  const files = typeof source === "string" ? listCheckpoint(source) : source;
  const figures = readConfig(files);
  const weights = openWeights(files, figures, options);
  try {
    const data = layOut(weights.tensors);
    const { scheme, ignored, close } = weights;
    const { metadata, tokenizerProblem } = readMetadata(files, figures, { tensors: data.tensors, scheme });
    const file: GgufFile = {
      name: files.name,
      version: 3,
      metadata: toMetadata(metadata),
      entries: toEntries(metadata),
      tensors: data.tensors,
      dataOffset: 0,
      fileBytes: data.dataBytes,
      alignment,
    };
    return { file, metadata, read: data.read, scheme, tokenizerProblem, ignored, close };
  } catch (error) {
    weights.close();
    throw error;
  }
}

/** The data alone, for threads that only load: the tokenizer, which takes longest, is not read. */
export function openCheckpointData(
  source: string | CheckpointFiles,
  options: WeightOptions = {},
): VirtualData & { readonly close: () => void } {
  const files = typeof source === "string" ? listCheckpoint(source) : source;
  const weights = openWeights(files, readConfig(files), options);
  return { ...layOut(weights.tensors), close: weights.close };
}

function readConfig(files: CheckpointFiles): Figures {
  const path = files.paths.get("config.json");
  if (path !== undefined) return readFigures(readJsonFile(path, "config.json"));
  throw new HearthError("model_not_found", `${files.name} has no config.json.`, {
    hint: "A checkpoint is a folder with config.json, *.safetensors and a tokenizer. Fetch the missing file, too.",
  });
}

interface ReadMetadata {
  readonly metadata: TypedMetadata;
  readonly tokenizerProblem: string | undefined;
}

interface KnownWeights {
  readonly tensors: readonly GgufTensor[];
  readonly scheme: string | undefined;
}

function readMetadata(files: CheckpointFiles, figures: Figures, { tensors, scheme }: KnownWeights): ReadMetadata {
  const optional = (name: string): Json => {
    const path = files.paths.get(name);
    return path === undefined ? {} : readJsonFile(path, name);
  };
  const { family, config } = figures;
  const { architecture } = family;
  const settings = optional("tokenizer_config.json");
  const generation = optional("generation_config.json");
  const rows = tensors.find(({ name }) => name === "token_embd.weight")?.shape[1];
  if (rows === undefined) throw new HearthError("model_malformed", `${files.name} has no table of embeddings.`);
  const tokenizer = readTokenizer({ files, config: config.values, generation, settings, rows });
  const own: Record<string, GgufTypedValue | undefined> = {
    ...figures.keys,
    vocab_size: uint(rows),
    ...pooling(files, figures),
  };
  const card = cardKeys(files);
  const name = card.name ?? files.name;
  const types = family.encoder && architecture !== "modern-bert" ? tokenTypes(tensors) : undefined;
  const metadata = defined({
    "general.architecture": text(architecture),
    "general.type": text("model"),
    "general.name": text(tokenizer.stripsBehind && architecture === "phi3" ? `Phi-3 ${name}` : name),
    "general.file_type": uint(fileType(tensors)),
    "general.quantization_version": uint(2),
    [schemeKey]: scheme === undefined ? undefined : text(scheme),
    ...card.keys,
    ...samplingKeys(generation),
    ...Object.fromEntries(Object.entries(own).map(([key, value]) => [`${architecture}.${key}`, value])),
    ...tokenizer.keys,
    ...(types !== undefined && { "tokenizer.ggml.token_type_count": uint(types) }),
    ...(tokenizer.unnamed && { "tokenizer.huggingface.json": text(tokenizer.unnamed.text) }),
    ...templateKeys(files, settings),
  });
  return { metadata, tokenizerProblem: tokenizer.unnamed?.problem };
}

function defined(values: Readonly<Record<string, GgufTypedValue | undefined>>): TypedMetadata {
  const entries = Object.entries(values).filter((entry): entry is [string, GgufTypedValue] => entry[1] !== undefined);
  return Object.fromEntries(entries);
}

function pooling(files: CheckpointFiles, { labels }: Figures): Record<string, GgufTypedValue | undefined> {
  if (!labels) return { pooling_type: readPooling(files) };
  return {
    pooling_type: rankPooling,
    ...(labels.length > 1 && { "classifier.output_labels": { type: "array", of: "string", value: labels } }),
  };
}

function tokenTypes(tensors: readonly GgufTensor[]): number | undefined {
  return tensors.find(({ name }) => name === "token_types.weight")?.shape[1];
}

/** `general.file_type` by the type that most bytes have; llama.h has the numbers. */
const fileTypes: Readonly<Record<string, number>> = {
  F32: 0,
  F16: 1,
  Q4_0: 2,
  Q4_1: 3,
  Q8_0: 7,
  Q5_0: 8,
  Q5_1: 9,
  Q6_K: 18,
  BF16: 32,
  MXFP4: 38,
};

function fileType(tensors: readonly GgufTensor[]): number {
  const bytes = new Map<string, number>();
  for (const { typeName, sizeBytes } of tensors) bytes.set(typeName, (bytes.get(typeName) ?? 0) + sizeBytes);
  const [most] = [...bytes].toSorted((a, b) => b[1] - a[1]);
  return fileTypes[most?.[0] ?? ""] ?? 1024 + ggmlType("F16").id;
}
