import type { Settings } from "../config/settings.ts";
import type { Format, InstalledModel, ModelInfo } from "../spec/model.ts";
import type { NpmClient } from "./sources/npm-client.ts";
import type { StoreFolders } from "./store.ts";

export type LibrarySettings = Pick<
  Settings,
  "hub" | "hubToken" | "hubTimeout" | "connections" | "offline" | "ollamaRegistry"
>;

/** Folders where other tools keep models; `config/paths.ts` knows them. */
export interface ForeignFolders {
  readonly ollama: string;
  readonly lmstudio: readonly string[];
  readonly huggingface: string;
  readonly llamaCpp: string;
}

/** What every verb of the library works with. */
export interface LibraryContext {
  readonly folders: StoreFolders;
  readonly settings: LibrarySettings;
  readonly foreign: ForeignFolders | undefined;
  readonly fetch: typeof fetch;
  readonly npm: () => Promise<NpmClient>;
  /** Bytes that can still be written to the disk of a folder. */
  readonly freeBytes: (folder: string) => Promise<number>;
  readonly detect: (path: string) => Promise<Format | undefined>;
  /** `model` names the file in messages and its further parts. */
  readonly inspect: (path: string, model?: InstalledModel) => Promise<ModelInfo>;
  /** Size of one range of a download. */
  readonly chunkBytes: number;
  /** How long a transfer may bring no byte before its connection is given up. */
  readonly stallTimeoutMs: number;
  /** First pause before a failed range is asked for again; it doubles each time. */
  readonly retryDelayMs: number;
}
