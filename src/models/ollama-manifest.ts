/** The manifest format of Ollama's registry and store (a Docker v2 image manifest), parsed strictly. */
import type { ModelFile, ModelOverrides } from "../spec/model.ts";
import { parseDigest } from "./names.ts";

export interface OllamaLayer {
  /** `model`, `projector`, `adapter`, `template`, `system`, `params`, `license` … */
  readonly kind: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

const prefix = "application/vnd.ollama.image.";

/** undefined when anything is not as it must be. */
export function parseOllamaManifest(text: string): readonly OllamaLayer[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const layers = typeof value === "object" && value !== null && "layers" in value ? value.layers : undefined;
  if (!Array.isArray(layers) || layers.length === 0 || layers.length > 1000) return undefined;
  const parsed = layers.map((layer: unknown) => parseLayer(layer));
  return parsed.every((layer) => layer !== undefined) ? parsed : undefined;
}

function parseLayer(layer: unknown): OllamaLayer | undefined {
  if (typeof layer !== "object" || layer === null) return undefined;
  const { mediaType, digest, size } = layer as Record<string, unknown>;
  // Only the form with a colon is a digest here: the text becomes part of a path and of a URL.
  const sha256 = typeof digest === "string" && digest.startsWith("sha256:") ? parseDigest(digest) : undefined;
  if (typeof mediaType !== "string" || sha256 === undefined) return undefined;
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) return undefined;
  return { kind: mediaType.startsWith(prefix) ? mediaType.slice(prefix.length) : "other", sha256, sizeBytes: size };
}

export function roleOf(layer: OllamaLayer): ModelFile["role"] {
  switch (layer.kind) {
    case "model":
      return "weights";
    case "projector":
      return "projector";
    case "adapter":
      return "adapter";
    case "license":
      return "license";
    case "params":
      return "config";
    default:
      return "other";
  }
}

/**
 * System prompt and parameters that travel with the model. Its template is left alone: it is a Go template, and the
 * weights carry their own.
 */
export async function toOverrides(
  layers: readonly OllamaLayer[],
  read: (layer: OllamaLayer) => Promise<string>,
): Promise<ModelOverrides | undefined> {
  const system = await readSmall(layers, "system", read);
  const parameters = parseParameters(await readSmall(layers, "params", read));
  if (system === undefined && parameters === undefined) return undefined;
  return { ...(system !== undefined && { system }), ...(parameters && { parameters }) };
}

async function readSmall(
  layers: readonly OllamaLayer[],
  kind: string,
  read: (layer: OllamaLayer) => Promise<string>,
): Promise<string | undefined> {
  const layer = layers.find((candidate) => candidate.kind === kind);
  if (!layer || layer.sizeBytes > 256 * 1024) return undefined;
  return await read(layer).catch(() => undefined);
}

function parseParameters(text: string | undefined): Readonly<Record<string, unknown>> | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
