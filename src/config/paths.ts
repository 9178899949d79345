import { homedir } from "node:os";
import { join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** Folder of everything hearth keeps: models, engine packs, history. */
export function dataFolder(env: Environment = process.env): string {
  const own = env["HEARTH_DATA"];
  if (own) return own;
  const home = env["HOME"] ?? homedir();
  if (process.platform === "win32") return join(env["LOCALAPPDATA"] ?? join(home, "AppData", "Local"), "hearth");
  if (process.platform === "darwin") return join(home, "Library", "Application Support", "hearth");
  return join(env["XDG_DATA_HOME"] ?? join(home, ".local", "share"), "hearth");
}

/** Folder of what hearth can make again: inside the data folder where one was chosen. */
export function cacheFolder(data: string | undefined, env: Environment = process.env): string {
  if (data !== undefined) return join(data, "cache");
  const home = env["HOME"] ?? homedir();
  if (process.platform === "win32") return join(dataFolder(env), "cache");
  if (process.platform === "darwin") return join(home, "Library", "Caches", "hearth");
  return join(env["XDG_CACHE_HOME"] ?? join(home, ".cache"), "hearth");
}

/** Folders where other tools keep models, for adoption in place. */
export function foreignFolders(env: Environment = process.env): {
  readonly ollama: string;
  readonly lmstudio: readonly string[];
  readonly huggingface: string;
  readonly llamaCpp: string;
} {
  const home = env["HOME"] ?? homedir();
  const cache = env["XDG_CACHE_HOME"] ?? join(home, ".cache");
  const huggingface = env["HF_HUB_CACHE"] ?? join(env["HF_HOME"] ?? join(cache, "huggingface"), "hub");
  const macCache = join(home, "Library", "Caches");
  return {
    ollama: env["OLLAMA_MODELS"] ?? join(home, ".ollama", "models"),
    lmstudio: [join(home, ".lmstudio", "models"), join(cache, "lm-studio", "models")],
    huggingface,
    llamaCpp: env["LLAMA_CACHE"] ?? join(process.platform === "darwin" ? macCache : cache, "llama.cpp"),
  };
}
