/** What `show` and `/show` say about a model: the header of its weights and its manifest, read without native code. */
import { open } from "node:fs/promises";
import type { Capability, InstalledModel, ModelFile, ModelInfo, ModelOverrides } from "../spec/model.ts";
import type { TensorInfo } from "../spec/media.ts";
import type { Hearth } from "../tasks/contract.ts";
import type { Output } from "../terminal/io.ts";
import { formatPairs } from "../terminal/table.ts";
import { formatBytes, formatCount } from "../util/format.ts";

export interface ModelDescription {
  readonly name: string;
  readonly id: string;
  readonly format: string;
  readonly architecture: string;
  readonly parameterCount: number;
  readonly quantization: string;
  readonly contextTokens: number;
  readonly embeddingLength: number;
  readonly blockCount: number;
  readonly vocabularySize: number;
  readonly capabilities: readonly Capability[];
  readonly pooling: ModelInfo["pooling"];
  readonly signature: ModelInfo["signature"];
  readonly sizeBytes: number;
  readonly origin: string;
  readonly source: string | undefined;
  readonly license: string | undefined;
  readonly modifiedAt: Date;
  readonly template: string | undefined;
  readonly overrides: ModelOverrides | undefined;
  readonly files: readonly ModelFile[];
  readonly metadata: ModelInfo["metadata"];
}

export async function describeModel({ library }: Hearth, name: string): Promise<ModelDescription> {
  const model = await library.resolve(name);
  const info = await library.inspect(model);
  return {
    name: model.name,
    id: model.id,
    format: model.format,
    architecture: info.architecture,
    parameterCount: info.parameterCount,
    quantization: info.quantization,
    contextTokens: info.trainContextTokens,
    embeddingLength: info.embeddingLength,
    blockCount: info.blockCount,
    vocabularySize: info.vocabularySize,
    capabilities: info.capabilities,
    pooling: info.pooling,
    signature: info.signature,
    sizeBytes: model.sizeBytes,
    origin: model.origin,
    source: model.source,
    license: model.license ?? metadataText(info, "general.license"),
    modifiedAt: model.modifiedAt,
    template: model.overrides?.template ?? info.chatTemplate,
    overrides: model.overrides,
    files: model.files,
    metadata: info.metadata,
  };
}

export function formatFacts(stream: Output, facts: ModelDescription): string {
  return formatPairs(stream, [
    ["name", facts.name],
    ["architecture", facts.architecture],
    ["parameters", formatCount(facts.parameterCount)],
    ["quantization", facts.quantization],
    ["context", known(facts.contextTokens, " tokens")],
    ["embedding length", known(facts.embeddingLength)],
    ["layers", known(facts.blockCount)],
    ["vocabulary", known(facts.vocabularySize)],
    ["capabilities", facts.capabilities.join(", ")],
    ["voices", voicesOf(facts)],
    ["inputs", facts.signature?.inputs.map(formatTensor).join(", ")],
    ["outputs", facts.signature?.outputs.map(formatTensor).join(", ")],
    ["size", formatBytes(facts.sizeBytes)],
    ["format", facts.format],
    ["origin", facts.origin],
    ["source", facts.source],
    ["license", facts.license],
    ["files", facts.files.map((file) => file.path).join(", ")],
  ]);
}

/** `x float32 [1, any, 3]`. */
export function formatTensor({ name, type, shape }: TensorInfo): string {
  return `${name} ${type} [${shape.map((size) => (size === -1 ? "any" : String(size))).join(", ")}]`;
}

/** Models that are no language models have none of these figures. */
function known(figure: number, unit = ""): string | undefined {
  return figure === 0 ? undefined : `${figure}${unit}`;
}

function voicesOf({ metadata }: ModelDescription): string | undefined {
  const voices = metadata["voices"];
  return typeof voices === "string" ? voices.replaceAll(",", ", ") : undefined;
}

const licenseLimit = 256 * 1024;

/** The text of the license where the model carries it, else its name. */
export async function readLicense(model: InstalledModel, info?: ModelInfo): Promise<string | undefined> {
  const file = model.files.find((candidate) => candidate.role === "license");
  if (!file) return model.license ?? (info && metadataText(info, "general.license"));
  const handle = await open(file.path);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(licenseLimit), 0, licenseLimit, 0);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await handle.close();
  }
}

function metadataText(info: ModelInfo, key: string): string | undefined {
  const value = info.metadata[key];
  return typeof value === "string" ? value : undefined;
}
