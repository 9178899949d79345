import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { HearthError } from "../error.ts";
import { allTensors, readOnnx } from "../formats/onnx/read.ts";
import { elementCount, elements } from "../formats/onnx/types.ts";
import type { OnnxGraph, OnnxModel, OnnxType } from "../formats/onnx/types.ts";
import { isNumberType } from "../formats/tensor.ts";
import type { TensorInfo } from "../spec/media.ts";
import type { InstalledModel, ModelInfo } from "../spec/model.ts";
import { describeGenerate, languageConfig } from "./describe-generate.ts";
import { modelFiles } from "./onnx-around.ts";
import { findOcrLayout, findOnnxLayout } from "./onnx-files.ts";
import { bareKind, capabilitiesOf, configKind } from "./onnx-kind.ts";
import type { Config, OnnxKind } from "./onnx-kind.ts";

/**
 * What an ONNX model is: by the files beside it, or by its own inputs and outputs, after all checks that native code relies
 * on. All its files are read. What is not recognised can still be given tensors. Throws `model_malformed` and
 * `model_unsupported`.
 */
export function describeOnnx(path: string, model?: InstalledModel): ModelInfo {
  const { files, own } = modelFiles(path, model);
  const names = [...files.keys()];
  const layout = findOnnxLayout(names, own);
  const config = layout && readConfig(files, "config.json");
  const main = readOnnx(path, { name: basename(own) });
  const ocr = layout ? undefined : findOcrLayout(names.filter((name) => !name.includes("/")));
  const isOcr = ocr !== undefined && (ocr.find === own || ocr.read === own);
  const parts = layout
    ? [...layout.parts.values()]
    : isOcr
      ? [ocr.find, ocr.read, ...(ocr.turn === undefined ? [] : [ocr.turn])]
      : [own];
  const others = parts
    .filter((name) => name !== own)
    .map((name) => readOnnx(files.get(name) ?? "", { name: basename(name) }));
  const signature = signatureOf(main.graph);
  const kind: OnnxKind = isOcr
    ? { kind: "ocr", architecture: "pp-ocr" }
    : ((config && configKind(config, { names, readConfig: (name) => readConfig(files, name) })) ??
      bareKind(main, signature));
  const generates =
    config && kind.kind === "generate"
      ? describeGenerate(config, {
          paths: files,
          read: (name) => readConfig(files, name),
          sees: layout.parts.has("vision_encoder"),
        })
      : undefined;
  return {
    ...figures(
      [main, ...others],
      generates && config ? languageConfig(config) : (config ?? {}),
      readConfig(files, "tokenizer_config.json"),
      readConfig(files, "sentence_bert_config.json"),
    ),
    format: "onnx",
    architecture: kind.architecture,
    quantization: layout ? layout.precision.toUpperCase() : commonType(main),
    capabilities: capabilitiesOf(kind.kind),
    ...generates,
    ...(kind.pooling && { pooling: kind.pooling }),
    signature,
    metadata: {
      ...shortMetadata(main),
      ...scalars(config),
      ...generates?.metadata,
      kind: kind.kind,
      ...(layout && { dtype: layout.precision, subfolder: layout.subfolder.replace(/\/$/, "") }),
      ...(layout &&
        Object.fromEntries(
          [...layout.parts].filter(([stem]) =>
            /^(vision_model|text_model|vision_encoder|embed_tokens|decoder_model_merged)$/.test(stem),
          ),
        )),
      ...(isOcr && Object.fromEntries(Object.entries(ocr).map(([role, name]) => [`ocr.${role}`, name]))),
    },
  };
}

function figures(
  models: readonly OnnxModel[],
  config: Config,
  tokenizer: Config | undefined,
  sentences: Config | undefined,
): Omit<ModelInfo, "format" | "architecture" | "quantization" | "capabilities" | "metadata"> {
  const integer = (from: Config | undefined, ...names: readonly string[]): number => {
    const found = names.map((name) => from?.[name]).find((value) => typeof value === "number");
    return typeof found === "number" && Number.isSafeInteger(found) && found > 0 ? found : 0;
  };
  const tensors = models.flatMap((model) => [...allTensors(model)]);
  // RoBERTa counts positions from behind its padding token on.
  const offset = /roberta|camembert/.test(String(config["model_type"])) ? 2 : 0;
  // Some tokenizers say 10^30 for "no limit".
  const limits = [
    integer(config, "max_position_embeddings", "n_positions", "max_target_positions") - offset,
    integer(tokenizer, "model_max_length"),
    integer(sentences, "max_seq_length"),
  ].filter((limit) => limit > 0 && limit < 2 ** 31);
  return {
    parameterCount: tensors.reduce((sum, { shape }) => sum + elementCount(shape), 0),
    trainContextTokens: limits.length === 0 ? 0 : Math.min(...limits),
    embeddingLength: integer(config, "hidden_size", "d_model", "dim"),
    blockCount: integer(config, "num_hidden_layers", "n_layers", "encoder_layers"),
    vocabularySize: integer(config, "vocab_size"),
    kvBytesPerToken: 0,
    weightBytes: tensors.reduce(
      (sum, { shape, type }) => sum + Math.ceil((elementCount(shape) * elements[type].bits) / 8),
      0,
    ),
    specialTokens: [],
  };
}

/** The type that most of the weights' bytes have. */
function commonType(model: OnnxModel): string {
  const bytes = new Map<string, number>();
  for (const { type, shape } of allTensors(model)) {
    bytes.set(type, (bytes.get(type) ?? 0) + (elementCount(shape) * elements[type].bits) / 8);
  }
  const [most] = [...bytes].sort(([, a], [, b]) => b - a);
  return (most?.[0] ?? "none").toUpperCase();
}

/** Inputs that are no weights, and outputs. Sequences and maps are left out: they are no tensors. */
function signatureOf({ inputs, outputs, initializers }: OnnxGraph): NonNullable<ModelInfo["signature"]> {
  const info = (name: string, type: OnnxType | undefined): TensorInfo[] => {
    if (type?.kind !== "tensor" || type.element === undefined) return [];
    if (!isNumberType(type.element) && type.element !== "string") return [];
    return [
      {
        name,
        type: type.element,
        shape: (type.shape ?? []).map((size) => (size === undefined || Number(size) < 0 ? -1 : size)),
      },
    ];
  };
  return {
    inputs: inputs.filter(({ name }) => !initializers.has(name)).flatMap(({ name, type }) => info(name, type)),
    outputs: outputs.flatMap(({ name, type }) => info(name, type)),
  };
}

const shortText = 4096;

function shortMetadata({ metadata }: OnnxModel): Record<string, string> {
  return Object.fromEntries([...metadata].filter(([, value]) => value.length <= shortText));
}

function scalars(config: Config | undefined): Record<string, string | number | boolean> {
  const found = Object.entries(config ?? {}).filter(
    (entry): entry is [string, string | number | boolean] =>
      ["string", "number", "boolean"].includes(typeof entry[1]) && String(entry[1]).length <= shortText,
  );
  return Object.fromEntries(found);
}

const mostBytes = 64 * 1024 ** 2;

function readConfig(files: ReadonlyMap<string, string>, name: string): Config | undefined {
  const path = files.get(name);
  if (path === undefined) return undefined;
  const bytes = readFileSync(path);
  if (bytes.length > mostBytes) throw malformed(name, `has ${bytes.length} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    throw malformed(name, "is not JSON", error);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed(name, "holds no object");
  return value as Config;
}

function malformed(name: string, problem: string, cause?: unknown): HearthError {
  return new HearthError("model_malformed", `${name} ${problem}.`, { details: { field: name }, cause });
}
