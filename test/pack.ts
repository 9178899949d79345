/** Native engines for tests: their packs, installed once into the user's cache by the user's own npm. */
import { HearthError } from "../src/error.ts";
import type { PackName } from "../src/engines/packs.ts";
import { addPack, packFolder } from "../src/engines/packs.ts";
import { cachedDataFolder } from "./real-model.ts";

/** Folder of the pack; undefined, with the reason printed, where the registry cannot be reached: the tests skip then. */
export async function testPack(name: PackName): Promise<string | undefined> {
  const dataFolder = cachedDataFolder();
  try {
    await addPack(name, { dataFolder });
    return packFolder(name, { dataFolder });
  } catch (error) {
    if (!(error instanceof HearthError)) throw error;
    console.warn(`Skipped: the engine pack ${name} is not here. ${error.message} ${error.hint}`);
    return undefined;
  }
}
