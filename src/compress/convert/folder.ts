/** Folders that are there whole or not at all. */
import { randomBytes } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { makeFolder, syncFile, syncFolder } from "../../models/durable.ts";
import { checkAbsent, checkRoom, removeLeftovers } from "../output.ts";
import type { OutputFile } from "../output.ts";

export interface NewFolder {
  /** Its name for now. */
  readonly path: string;
  /** Names, which may be in folders of their own, and texts. */
  addTexts(files: ReadonlyMap<string, string>): Promise<void>;
}

/** As `writeOutput` for a file. `write` flushes the files that it makes itself. */
export async function writeFolder(output: OutputFile, write: (folder: NewFolder) => Promise<void>): Promise<void> {
  const path = resolve(output.path);
  const parent = dirname(path);
  checkAbsent(output.path);
  await makeFolder(parent);
  await checkRoom(output, parent);
  await removeLeftovers(path);
  const temporary = join(parent, `.${basename(path)}.${process.pid}-${randomBytes(3).toString("hex")}.partial`);
  await mkdir(temporary);
  try {
    await write({ path: temporary, addTexts: (files) => addTexts(temporary, files) });
    await syncFolder(temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
  await syncFolder(parent);
}

async function addTexts(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  for (const [name, text] of files) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
    await syncFile(path);
    if (dirname(path) !== folder) await syncFolder(dirname(path));
  }
}
