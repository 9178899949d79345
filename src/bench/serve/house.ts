/** A temporary folder for the servers of one bench: the model under a name that their API takes, and a data folder each. */
import { link, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { InstalledModel } from "../../spec/model.ts";
import type { HearthHouse } from "./hearth-server.ts";

export interface House extends Pick<HearthHouse, "env" | "model" | "makeFolder"> {
  dispose(): Promise<void>;
}

export interface HouseOptions {
  readonly model: InstalledModel;
  /** Data folder of the caller, for its engine packs. */
  readonly dataFolder: string;
}

const name = "bench-model";

/**
 * A server takes names, not paths. It adopts what lies in the folder of llama.cpp, so a link there gives any model a name;
 * the data folders hold nothing else, so that no bench finds what another has left.
 */
export async function createHouse({ model, dataFolder }: HouseOptions): Promise<House> {
  const root = await mkdtemp(join(tmpdir(), "hearth-bench-"));
  const models = join(root, "models");
  await mkdir(models);
  const weights = model.files.filter(({ role }) => role === "weights");
  for (const file of weights) {
    // The parts of a split model have to keep their names.
    await linkTo(file.path, join(models, weights.length === 1 ? `${name}.gguf` : file.name));
  }
  let folders = 0;
  return {
    env: { LLAMA_CACHE: models, HOME: root },
    model: weights.length === 1 ? name : (weights[0]?.name.replace(/\.gguf$/i, "") ?? name),
    async makeFolder(keys) {
      const data = join(root, `data-${folders++}`);
      await mkdir(data);
      // The packs may not be there; then the engine does not need one, or says so.
      await symlink(join(dataFolder, "engines"), join(data, "engines"), "junction");
      const keyFile = join(data, "keys.txt");
      if (keys.length > 0) await writeFile(keyFile, `${keys.join("\n")}\n`, { mode: 0o600 });
      return { data, keyFile };
    },
    dispose: () => rm(root, { recursive: true, force: true }),
  };
}

/** A second name for a file; not every system lets everybody make links of the first kind. */
async function linkTo(path: string, at: string): Promise<void> {
  try {
    await symlink(path, at);
  } catch {
    await link(path, at);
  }
}
