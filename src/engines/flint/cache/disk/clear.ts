/** The cache on disk as a person sees it: blocks of all versions and all models. */
import { basename } from "node:path";
import { listBlocks, removeEmpty, removeGroup, subfolders } from "./list.ts";
import { versionOf } from "./names.ts";

export interface CacheSize {
  readonly blocks: number;
  readonly sizeBytes: number;
}

export function measureBlocks(folder: string): CacheSize {
  const blocks = versions(folder)
    .flatMap(subfolders)
    .flatMap((group) => listBlocks(group, Date.now()));
  return { blocks: blocks.length, sizeBytes: blocks.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** Removes all blocks, also while models use them: they then compute what they do not find. */
export function clearBlocks(folder: string): void {
  for (const version of versions(folder)) {
    for (const group of subfolders(version)) removeGroup(group);
    removeEmpty(version);
  }
}

function versions(folder: string): string[] {
  return subfolders(folder).filter((path) => versionOf(basename(path)) !== undefined);
}
