/** The adapters of a load: their files are open while the model is prepared and their tensors come into memory. */
import { HearthError } from "../../../error.ts";
import type { GgufFile } from "../../../formats/gguf/types.ts";
import type { LoadOptions } from "../../../spec/engine.ts";
import type { LoadedAdapter } from "./choose.ts";
import { checkScale } from "./choose.ts";
import type { ReadBytes } from "./load.ts";
import { loadAdapter } from "./load.ts";
import type { Adapter } from "./read.ts";
import { readAdapter } from "./read.ts";

export interface AdapterFile {
  readonly header: GgufFile;
  readonly read: ReadBytes;
  close(): Promise<void>;
}

/** Opens the file or folder of an adapter for a model; undefined where a path says nothing, as in a browser. */
export type OpenAdapter = ((path: string, model: GgufFile) => Promise<AdapterFile>) | undefined;

export type OpenedAdapter = Adapter & LoadedAdapter;

export interface AdapterJob {
  readonly adapters: LoadOptions["adapters"];
  readonly model: GgufFile;
  readonly open: OpenAdapter;
  readonly signal: AbortSignal | undefined;
}

type Prepared = Parameters<typeof loadAdapter>[1];

/** Checks the headers, lets `prepare` make room, and loads. Throws as `readAdapter` does; `unsupported_option` where nothing opens files. */
export async function prepareAdapters<T extends { readonly setup: Prepared }>(
  { adapters = [], model, open, signal }: AdapterJob,
  prepare: (adapters: readonly OpenedAdapter[]) => T,
): Promise<T & { readonly adapters: readonly LoadedAdapter[] }> {
  const files: AdapterFile[] = [];
  try {
    const opened: OpenedAdapter[] = [];
    for (const [index, { path, scale = 1 }] of adapters.entries()) {
      if (!open)
        throw new HearthError("unsupported_option", "Adapters cannot be loaded here.", {
          details: { option: "adapters" },
        });
      const file = await open(path, model);
      files.push(file);
      opened.push({ path, scale: checkScale(scale), ...readAdapter(file.header, model, index) });
    }
    const prepared = prepare(opened);
    for (const [index, file] of files.entries()) {
      signal?.throwIfAborted();
      const adapter = opened[index];
      if (adapter) await loadAdapter(adapter, prepared.setup, file.read);
    }
    return { ...prepared, adapters: opened.map(({ path, scale }) => ({ path, scale })) };
  } finally {
    await Promise.all(files.map((file) => file.close()));
  }
}
