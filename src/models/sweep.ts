import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { StoreFolders } from "./store.ts";

const day = 86_400_000;

/** Deletes what transfers left behind that nobody has gone on with for two weeks. */
export async function sweepStaging({ staging }: StoreFolders, now: number = Date.now()): Promise<void> {
  for (const name of await readdir(staging)) {
    const path = join(staging, name);
    const found = await stat(path).catch(() => undefined);
    const limit = name.endsWith(".tmp") || name.endsWith(".dead") ? day : 14 * day;
    if (found && now - found.mtimeMs > limit) await rm(path, { force: true, recursive: true });
  }
}
