import { kindOfTflite, signatureOf, tasksOf } from "../formats/tflite/kind.ts";
import { readTflite } from "../formats/tflite/read.ts";
import type { TfliteFile } from "../formats/tflite/read.ts";
import { elementBits } from "../formats/tflite/types.ts";
import type { TfliteModel, TfliteType } from "../formats/tflite/types.ts";
import type { ModelInfo } from "../spec/model.ts";

/**
 * What a TFLite file says, after all checks: its inputs and outputs, and what it can do by their shapes. Throws
 * `model_malformed` with {field, offset}, and `model_unsupported`.
 */
export function inspectTflite(path: string, name?: string): ModelInfo {
  return describe(readTflite(path, name));
}

function describe({ model, metadata }: TfliteFile): ModelInfo {
  const kind = kindOfTflite(model, metadata);
  const signature = signatureOf(model);
  const constants = constantsOf(model);
  return {
    format: "tflite",
    architecture: kind,
    parameterCount: constants.reduce((sum, { count }) => sum + count, 0),
    quantization: quantizationOf(constants),
    trainContextTokens: 0,
    embeddingLength: 0,
    blockCount: 0,
    vocabularySize: 0,
    kvBytesPerToken: 0,
    weightBytes: model.fileBytes,
    specialTokens: [],
    capabilities: signature ? tasksOf(kind) : [],
    ...(signature && { signature }),
    metadata: {
      ...(metadata?.name && { "general.name": metadata.name }),
      ...(metadata?.description && { "general.description": metadata.description }),
      ...(metadata?.author && { "general.author": metadata.author }),
      ...(metadata?.license && { "general.license": metadata.license }),
      ...(model.description && { "tflite.description": model.description }),
      "tflite.operators": model.subgraphs.reduce((sum, { operators }) => sum + operators.length, 0),
      ...(model.customOperators.length > 0 && { "tflite.custom_operators": model.customOperators.join(", ") }),
      ...(model.signatures.length > 0 && { "tflite.signatures": model.signatures.map(({ key }) => key).join(", ") }),
    },
  };
}

interface Constant {
  readonly type: TfliteType;
  readonly count: number;
}

/** Tensors with data in the file; data that several share counts once. */
function constantsOf({ subgraphs, buffers }: TfliteModel): Constant[] {
  const seen = new Set<number>();
  const constants: Constant[] = [];
  for (const { type, shape, buffer } of subgraphs.flatMap(({ tensors }) => tensors)) {
    if (!buffers[buffer] || seen.has(buffer)) continue;
    seen.add(buffer);
    constants.push({ type, count: shape.reduce((product, size) => product * size, 1) });
  }
  return constants;
}

/** The type that most of the weights have, as other formats name it. */
function quantizationOf(constants: readonly Constant[]): string {
  const bits = new Map<TfliteType, number>();
  for (const { type, count } of constants) bits.set(type, (bits.get(type) ?? 0) + count * (elementBits[type] ?? 0));
  const [most] = [...bits].toSorted(([, a], [, b]) => b - a);
  const names: Readonly<Partial<Record<TfliteType, string>>> = {
    float32: "F32",
    float16: "F16",
    bfloat16: "BF16",
    float64: "F64",
  };
  return most ? (names[most[0]] ?? most[0].toUpperCase()) : "none";
}
