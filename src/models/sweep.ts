import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileSize, type StoreFolders } from "./store.ts";

const hour = 3_600_000;

/**
 * Deletes what transfers left behind: data that nobody has gone on with for two weeks, and, after an hour, the small
 * files that live for moments only and that a killed process could not remove.
 */
export async function sweepStaging({ staging }: StoreFolders, now: number = Date.now()): Promise<void> {
  for (const name of await readdir(staging)) {
    const path = join(staging, name);
    const found = await stat(path).catch(() => undefined);
    const limit = (await isMomentary(path)) ? hour : 14 * 24 * hour;
    if (found && now - found.mtimeMs > limit) await rm(path, { force: true, recursive: true });
  }
}

async function isMomentary(path: string): Promise<boolean> {
  if (/\.(tmp|dead|lock|lock\.[0-9a-f]+)$/.test(path)) return true;
  return path.endsWith(".journal") && (await fileSize(path.slice(0, -".journal".length))) === undefined;
}
