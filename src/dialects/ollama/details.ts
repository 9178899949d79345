import { HearthError } from "../../error.ts";
import type { ModelLibrary } from "../../models/contract.ts";
import type { Capability, InstalledModel, ModelInfo } from "../../spec/model.ts";
import { formatCount } from "../../util/format.ts";

export interface WireDetails {
  readonly parent_model: string;
  readonly format: string;
  readonly family: string;
  readonly families: readonly string[];
  readonly parameter_size: string;
  readonly quantization_level: string;
  readonly context_length?: number;
  readonly embedding_length?: number;
}

/** `info` is undefined for a file that cannot be read: only what the store knows is told. */
export function toDetails(model: InstalledModel, info: ModelInfo | undefined): WireDetails {
  return {
    parent_model: "",
    format: model.format,
    family: info?.architecture ?? "",
    families: info ? [info.architecture] : [],
    parameter_size: info ? formatCount(info.parameterCount) : "",
    quantization_level: info?.quantization ?? "",
    ...(info ? { context_length: info.trainContextTokens, embedding_length: info.embeddingLength } : {}),
  };
}

const words: readonly (readonly [Capability, string])[] = [
  ["generate", "completion"],
  ["tools", "tools"],
  ["insert", "insert"],
  ["vision", "vision"],
  ["embed", "embedding"],
  ["thinking", "thinking"],
  ["transcribe", "audio"],
];

/** Capabilities in Ollama's words; what it has no word for is left out. */
export function toCapabilities(info: ModelInfo | undefined): readonly string[] {
  return words.filter(([capability]) => info?.capabilities.includes(capability)).map(([, word]) => word);
}

/** The header of a model, or undefined when its file is damaged or gone: one bad file must not break a list. */
export async function tryInspect(library: ModelLibrary, model: InstalledModel): Promise<ModelInfo | undefined> {
  try {
    return await library.inspect(model);
  } catch (error) {
    if (error instanceof HearthError || (error instanceof Error && "code" in error)) return undefined;
    throw error;
  }
}
