/** A model of speech as a whole: found by its files, and checked before native code opens one of them. */
import { statSync } from "node:fs";
import { HearthError } from "../../error.ts";
import { readOnnx } from "../onnx/read.ts";
import type { ElementType, OnnxModel } from "../onnx/types.ts";
import { dataBytes, elementCount } from "../onnx/types.ts";
import { checkDetails } from "./check.ts";
import type { SpeechPaths } from "./files.ts";
import { findKind, mainPart, type SpeechKind } from "./kind.ts";
import { dataMarker, findLayout, type SpeechPart } from "./layout.ts";

export interface SpeechFolder {
  readonly kind: SpeechKind;
  /** Part → path on this machine. */
  readonly paths: Readonly<Partial<Record<SpeechPart, string>>>;
  /** The file whose metadata describe the whole. */
  readonly main: OnnxModel;
  /** Names of the voices of a model that speaks; their numbers where they have none. */
  readonly voices: readonly string[];
  readonly parameterCount: number;
  readonly weightBytes: number;
  /** Type that most of the weights have. */
  readonly precision: ElementType;
  readonly tokenCount: number;
  /** Tokens by their numbers, where there is no file of them that the native library reads. */
  readonly vocabulary: readonly string[];
}

/** A file that stands alone is looked at only where it is no larger: models of voice activity are small. */
const mostAlone = 16 * 1024 ** 2;

/**
 * `weights`: name of one ONNX file among `files`. Undefined: they are no model of speech in sherpa-onnx's layout. Throws
 * `model_malformed` with details {field}, `model_unsupported`.
 */
export function readSpeechFolder(files: SpeechPaths, weights: string): SpeechFolder | undefined {
  const layout = findLayout([...files.keys()], weights);
  if (!layout) return undefined;
  const mainName = layout.parts[mainPart(layout)] ?? weights;
  if (layout.shape === "alone" && sizeOf(files, mainName) > mostAlone) return undefined;
  const main = readOnnx(pathOf(files, mainName), { name: mainName });
  const kind = findKind(layout, main);
  if (kind === undefined) return undefined;
  const names = Object.entries(layout.parts) as readonly (readonly [SpeechPart, string])[];
  const models = names.flatMap(([, name]) => {
    if (!name.endsWith(".onnx")) return [];
    return [name === mainName ? main : readOnnx(pathOf(files, name), { name })];
  });
  const paths = Object.fromEntries(
    names.map(([part, name]) => [part, part === "data" ? dataFolder(files, name) : pathOf(files, name)]),
  ) as SpeechFolder["paths"];
  return { kind, paths, main, ...checkDetails({ kind, main, parts: layout.parts, files }), ...measure(models) };
}

function measure(models: readonly OnnxModel[]): Pick<SpeechFolder, "parameterCount" | "weightBytes" | "precision"> {
  const bytes = new Map<ElementType, number>();
  let parameterCount = 0;
  for (const { graph } of models) {
    for (const { type, shape } of graph.initializers.values()) {
      parameterCount += elementCount(shape);
      bytes.set(type, (bytes.get(type) ?? 0) + dataBytes(type, shape));
    }
  }
  const sorted = [...bytes].toSorted(([, a], [, b]) => b - a);
  const weightBytes = sorted.reduce((sum, [, size]) => sum + size, 0);
  return { parameterCount, weightBytes, precision: sorted[0]?.[0] ?? "float32" };
}

/** The folder on this machine; the files of a model that is just being fetched have none, and nobody opens them yet. */
function dataFolder(files: SpeechPaths, name: string): string {
  return pathOf(files, `${name}/${dataMarker}`).slice(0, -dataMarker.length - 1);
}

function sizeOf(files: SpeechPaths, name: string): number {
  return statSync(pathOf(files, name)).size;
}

function pathOf(files: SpeechPaths, name: string): string {
  const path = files.get(name);
  if (path !== undefined) return path;
  throw new HearthError("model_malformed", `The file ${name} of the model is missing.`, { details: { field: name } });
}
