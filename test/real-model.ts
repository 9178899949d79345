/** Real weights for tests: fetched once by the store itself, hash-pinned by the catalog, kept in the user's cache. */
import { homedir } from "node:os";
import { join } from "node:path";
import { createLibrary } from "../src/models/library.ts";
import { loadSettings } from "../src/config/load.ts";
import type { ModelLibrary } from "../src/models/contract.ts";

/** Data folder that outlives a test run. */
export function cachedDataFolder(): string {
  const cache = process.env["XDG_CACHE_HOME"] ?? join(process.env["HOME"] ?? homedir(), ".cache");
  return join(cache, "hearth-tests");
}

/** A library whose store is the cache. The hub is never asked: tests must not depend on it. */
export function cachedLibrary(): ModelLibrary {
  const { settings } = loadSettings({ env: { HEARTH_HUB: "http://127.0.0.1:9" } });
  return createLibrary({ dataFolder: cachedDataFolder(), settings, foreign: undefined });
}
