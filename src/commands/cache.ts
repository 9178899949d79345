import { cacheFolder } from "../config/paths.ts";
import type { Settings } from "../config/settings.ts";
import type { DiskCacheUse } from "../engines/disk-cache.ts";
import { HearthError } from "../error.ts";
import { formatPairs } from "../terminal/table.ts";
import { formatBytes } from "../util/format.ts";
import { defineCommand, type Command, type Context } from "./command.ts";

export const cache: Command = defineCommand({
  name: "cache",
  text: "Says where computed prompts are kept on disk, and how many bytes they take; `clear` removes them.",
  arguments: [{ name: "clear", text: "remove them all; a model that is asked again computes them again" }],
  settings: ["diskCache"],
  examples: ["hearth cache", "hearth cache clear"],
  async run(context) {
    const { args, settings, io, json, writeJson } = context;
    const [word] = args;
    if (word !== undefined && word !== "clear") {
      throw new HearthError("usage", `hearth cache cannot "${word}".`, { hint: "It knows `clear`, or no word." });
    }
    const before = await readCache(settings);
    if (word === undefined) return showCache(context, before);
    await (await import("../engines/disk-cache.ts")).clearDiskCache(before.folder);
    const removedBytes = before.sizeBytes - (await readCache(settings)).sizeBytes;
    if (json) writeJson({ folder: before.folder, removedBytes });
    else io.stdout.write(`${formatBytes(removedBytes)} are removed.\n`);
  },
});

export interface CacheState {
  readonly folder: string;
  readonly engines: readonly DiskCacheUse[];
  /** Of all engines. */
  readonly sizeBytes: number;
  /** Of each engine; 0: it is switched off. */
  readonly mostBytes: number;
}

export async function readCache({ data, diskCache }: Pick<Settings, "data" | "diskCache">): Promise<CacheState> {
  const { measureDiskCache, planDiskCache } = await import("../engines/disk-cache.ts");
  const plan = await planDiskCache(cacheFolder(data), diskCache);
  const engines = await measureDiskCache(plan.folder);
  return { ...plan, engines, sizeBytes: engines.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
}

function showCache({ io, json, writeJson }: Pick<Context, "io" | "json" | "writeJson">, state: CacheState): void {
  const { folder, engines, mostBytes } = state;
  if (json) return writeJson(state);
  const rows = engines.map(
    ({ engine, entries, sizeBytes }) => [engine, `${formatBytes(sizeBytes)} in ${entries} files`] as const,
  );
  const limit = mostBytes === 0 ? "off: none are kept" : `${formatBytes(mostBytes)} for each engine`;
  io.stdout.write(formatPairs(io.stdout, [["folder", folder], ...rows, ["limit", limit]]));
}
