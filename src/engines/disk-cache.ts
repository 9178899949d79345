/** The KV cache of prompts on disk, of all engines. */
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { diskFreeBytes } from "../hardware/disk.ts";
import type { Engine, EngineName, LoadOptions } from "../spec/engine.ts";

type DiskCache = NonNullable<LoadOptions["diskCache"]>;

const defaultMostBytes = 10 * 1024 ** 3;
/** Of what the disk has free. */
const defaultShare = 0.1;

/**
 * Where prompts are kept that left memory, and how many bytes by each engine; `mostBytes` 0: none are kept. Without
 * `wantedBytes` a share of the disk, and none where nobody knows what is free.
 */
export async function planDiskCache(cacheFolder: string, wantedBytes: number | undefined): Promise<DiskCache> {
  const folder = join(cacheFolder, "kv");
  if (wantedBytes !== undefined) return { folder, mostBytes: wantedBytes };
  const freeBytes = (await diskFreeBytes(folder)) ?? 0;
  return { folder, mostBytes: Math.min(Math.floor(freeBytes * defaultShare), defaultMostBytes) };
}

/** An engine that keeps prompts on disk, where a load does not say itself whether and where. */
export function withDiskCache(engine: Engine, plan: () => Promise<DiskCache>): Engine {
  return {
    name: engine.name,
    refuse: (info, device) => engine.refuse(info, device),
    async load(model, { diskCache, ...options }, call) {
      const wanted = diskCache ?? (await plan());
      return await engine.load(model, wanted.mostBytes > 0 ? { ...options, diskCache: wanted } : options, call);
    },
  };
}

export interface DiskCacheUse {
  readonly engine: EngineName;
  /** flint has one for 32 tokens, llama one for a whole prompt. */
  readonly entries: number;
  readonly sizeBytes: number;
}

export async function measureDiskCache(folder: string): Promise<readonly DiskCacheUse[]> {
  const { measureBlocks } = await import("./flint/cache/disk/clear.ts");
  const { blocks, sizeBytes } = measureBlocks(folder);
  const states = (await (await openLlamaStates(folder))?.list()) ?? [];
  return [
    { engine: "flint", entries: blocks, sizeBytes },
    { engine: "llama", entries: states.length, sizeBytes: states.reduce((sum, { bytes }) => sum + bytes, 0) },
  ];
}

/** Removes them all, also while models use them: they then compute what they do not find. */
export async function clearDiskCache(folder: string): Promise<void> {
  const { clearBlocks } = await import("./flint/cache/disk/clear.ts");
  clearBlocks(folder);
  const states = await openLlamaStates(folder);
  for (const { record } of (await states?.list()) ?? []) await states?.remove(record.key);
}

async function openLlamaStates(folder: string) {
  const path = join(folder, "llama");
  const { openStateFolder } = await import("./llama/states/folder.ts");
  // To open it would make it.
  const found = await lstat(path).catch(() => undefined);
  return found?.isDirectory() ? await openStateFolder(path) : undefined;
}
