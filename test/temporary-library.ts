// A model library in a temporary folder, for tests that pull from `hub-server.ts`.
import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { ModelLibrary } from "../src/models/contract.ts";
import type { ModelInfo } from "../src/spec/model.ts";
import { createLibrary, type LibraryOptions } from "../src/models/library.ts";

export interface TemporaryLibrary {
  readonly library: ModelLibrary;
  readonly dataFolder: string;
  /** File names in a folder of the store; empty when it is not there. */
  readonly entries: (folder: "blobs" | "manifests" | "staging" | "views") => Promise<string[]>;
}

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "hearth-models-"));
  onTestFinished(async () => {
    await rm(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Quick settings, no foreign folders, and, unless told otherwise, any bytes count as a GGUF model. */
export async function temporaryLibrary(
  options: Partial<Omit<LibraryOptions, "settings">> & { settings?: Partial<LibraryOptions["settings"]> } = {},
): Promise<TemporaryLibrary> {
  const dataFolder = options.dataFolder ?? (await temporaryFolder());
  const library = createLibrary({
    foreign: undefined,
    chunkBytes: 64 * 1024,
    stallTimeoutMs: 2000,
    retryDelayMs: 1,
    detect: async () => await Promise.resolve("gguf"),
    inspect: inspectAnything,
    ...options,
    dataFolder,
    settings: {
      hub: "http://127.0.0.1:9",
      hubToken: undefined,
      hubTimeout: 1000,
      connections: 4,
      offline: false,
      ollamaRegistry: "http://127.0.0.1:9",
      ...options.settings,
    },
  });
  return {
    library,
    dataFolder,
    entries: async (folder) => await readdir(join(dataFolder, "models", folder)).catch(() => []),
  };
}

async function inspectAnything(): Promise<ModelInfo> {
  return await Promise.resolve({
    format: "gguf",
    architecture: "llama",
    parameterCount: 1,
    quantization: "F32",
    trainContextTokens: 1,
    embeddingLength: 1,
    blockCount: 1,
    vocabularySize: 1,
    kvBytesPerToken: 1,
    weightBytes: 1,
    specialTokens: [],
    capabilities: [],
    metadata: {},
  });
}

/** Bytes that do not repeat, the same each time. */
export function someBytes(size: number, seed: string = "seed"): Buffer {
  return createHash("shake256", { outputLength: size }).update(seed).digest();
}
