/**
 * Vocabularies of real models: llama.cpp keeps those of many families for its own tests, and node-llama-cpp brings
 * llama.cpp's source along, pinned by our lock file. Git takes them out once; they are kept in the user's cache.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { cachedDataFolder } from "./real-model.ts";

const run = promisify(execFile);

/** The package allows only its entry point to be asked for. */
function packageFolder(): string {
  const entry = createRequire(import.meta.url).resolve("node-llama-cpp");
  return dirname(dirname(entry));
}

/** Path of a GGUF file without tensors, such as `gpt-2` or `llama-spm`. */
export async function realVocabulary(name: string): Promise<string> {
  const folder = packageFolder();
  const { version } = JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as { version: string };
  const cache = join(cachedDataFolder(), "vocabularies", version);
  if (!existsSync(cache)) await extract(join(folder, "llama", "gitRelease.bundle"), cache);
  return join(cache, "models", `ggml-vocab-${name}.gguf`);
}

async function extract(bundle: string, cache: string): Promise<void> {
  await mkdir(dirname(cache), { recursive: true });
  const staging = await mkdtemp(`${cache}-`);
  try {
    await run("git", ["clone", "--quiet", "--bare", bundle, join(staging, "git")]);
    const tree = join(staging, "tree");
    await mkdir(tree);
    await run("git", [`--git-dir=${join(staging, "git")}`, `--work-tree=${tree}`, "checkout", "HEAD", "--", "models"]);
    await rename(tree, cache).catch(async (error: unknown) => {
      // Another test run was faster.
      if (!existsSync(cache)) throw error;
      await rm(tree, { recursive: true });
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}
