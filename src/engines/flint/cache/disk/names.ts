/** Where things lie: `FOLDER/v2.1/ab/abcdef….kv`. Whatever is called otherwise is not ours. */
import { join } from "node:path";
import { engineVersion, formatVersion } from "./version.ts";

export const versionName: string = `v${formatVersion}.${engineVersion}`;

/** All 256 subfolders. */
export const groups: readonly string[] = Array.from({ length: 256 }, (_, index) => index.toString(16).padStart(2, "0"));

export function groupOf(key: string): string {
  return key.slice(0, 2);
}

export function blockPath(folder: string, key: string): string {
  return join(folder, groupOf(key), `${key}.kv`);
}

/** What a block is called until it is whole. `unique` differs between all who write. */
export function temporaryPath(folder: string, key: string, unique: string): string {
  return join(folder, groupOf(key), `${key}.${unique}.tmp`);
}

/**
 * The key of the block that a file in a subfolder is; undefined: it is no block, or lies where it does not belong. Names
 * of version 1 were shorter: they are removed as what they are.
 */
export function keyOf(group: string, name: string): string | undefined {
  const key = /^([0-9a-f]{64,})\.kv$/.exec(name)?.[1];
  return key !== undefined && groupOf(key) === group ? key : undefined;
}

export function isTemporary(name: string): boolean {
  return /^[0-9a-f]{64,}\.[0-9a-f-]+\.tmp$/.test(name);
}

/** Whether a subfolder of that name holds blocks of an earlier version. */
export function isOlder(name: string): boolean {
  const [format, engine] = versionOf(name) ?? [formatVersion, engineVersion];
  return format < formatVersion || (format === formatVersion && engine < engineVersion);
}

export function versionOf(name: string): readonly [format: number, engine: number] | undefined {
  const [, format, engine] = /^v(\d+)\.(\d+)$/.exec(name) ?? [];
  return format === undefined || engine === undefined ? undefined : [Number(format), Number(engine)];
}
