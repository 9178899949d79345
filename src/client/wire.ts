/** The bodies of our own server's Ollama routes. */
import type { LoadedSummary, ModelSummary, PullProgress } from "./types.ts";

export interface StopBody {
  readonly hearth?: { readonly unloaded: boolean };
}

export interface PullBody {
  readonly status: string;
  readonly digest?: string;
  readonly completed?: number;
  readonly total?: number;
}

export interface TagBody {
  readonly name: string;
  readonly digest: string;
  readonly size: number;
  readonly modified_at: string;
  readonly details: {
    readonly format: string;
    readonly family: string;
    readonly parameter_size: string;
    readonly quantization_level: string;
  };
  readonly capabilities: readonly string[];
}

export interface LoadedBody {
  readonly name: string;
  readonly digest: string;
  readonly size: number;
  readonly size_vram: number;
  readonly context_length: number;
  readonly expires_at: string;
  readonly hearth: Pick<LoadedSummary, "state" | "engine" | "device" | "parallel" | "running" | "waiting"> & {
    readonly expires: boolean;
  };
}

export function toProgress({ status, digest, completed, total }: PullBody): PullProgress {
  return {
    status,
    ...(digest === undefined ? {} : { file: digest }),
    ...(completed === undefined ? {} : { completedBytes: completed }),
    ...(total === undefined ? {} : { totalBytes: total }),
  };
}

export function toModel({ name, digest, size, modified_at, details, capabilities }: TagBody): ModelSummary {
  return {
    name,
    id: digest,
    sizeBytes: size,
    modifiedAt: new Date(modified_at),
    format: details.format,
    architecture: details.family,
    parameters: details.parameter_size,
    quantization: details.quantization_level,
    capabilities,
  };
}

export function toLoaded({ hearth: { expires, ...status }, ...body }: LoadedBody): LoadedSummary {
  return {
    name: body.name,
    id: body.digest,
    ...status,
    contextTokens: body.context_length,
    ramBytes: body.size - body.size_vram,
    vramBytes: body.size_vram,
    expiresAt: expires ? new Date(body.expires_at) : undefined,
  };
}
