/** The cache on disk as a person sees it: blocks of all versions and all models. */
import { join } from "node:path";
import { BlockIndex } from "./index.ts";
import { groups, versionOf } from "./names.ts";
import { entries, removeVersion, scanGroups } from "./scan.ts";

export interface CacheSize {
  readonly blocks: number;
  readonly sizeBytes: number;
}

export function measureBlocks(folder: string): CacheSize {
  const sizes = versionFolders(folder).map((version) => {
    const index = new BlockIndex();
    scanGroups({ folder: version, index, groups, nowMs: 0 });
    return index;
  });
  return {
    blocks: sizes.reduce((sum, { count }) => sum + count, 0),
    sizeBytes: sizes.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** Removes all blocks, also while models use them: they then compute what they do not find. Returns what is gone. */
export function clearBlocks(folder: string): CacheSize {
  const before = measureBlocks(folder);
  for (const version of versionFolders(folder)) removeVersion(version);
  const after = measureBlocks(folder);
  return { blocks: before.blocks - after.blocks, sizeBytes: before.sizeBytes - after.sizeBytes };
}

function versionFolders(folder: string): string[] {
  return entries(folder).flatMap(({ name }) => (versionOf(name) ? [join(folder, name)] : []));
}
