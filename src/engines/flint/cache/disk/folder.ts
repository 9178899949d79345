import { randomBytes } from "node:crypto";
import { lutimesSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { FoundFile } from "./files.ts";
import { findFile, isFolder, readStart, readWhole, removeFile, writeWhole } from "./files.ts";
import { listKeys } from "./list.ts";
import { blockPath, temporaryPath, versionName } from "./names.ts";

/** The blocks of this version as files. Throws what the system says. No link is followed. */
export class BlockFolder {
  readonly path: string;
  readonly #unique = randomBytes(6).toString("hex");
  #writes = 0;

  constructor(folder: string) {
    this.path = join(folder, versionName);
  }

  make(): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
    if (!isFolder(this.path)) throw new Error(`${this.path} is a link`);
  }

  find(key: string): FoundFile | undefined {
    const path = this.#place(key);
    return path === undefined ? undefined : findFile(path);
  }

  /** Fills `target`. False: the file has another length, or there is none. */
  read(key: string, target: Uint8Array): boolean {
    const path = this.#place(key);
    return path !== undefined && readWhole(path, target);
  }

  readStart(key: string, target: Uint8Array): boolean {
    const path = this.#place(key);
    return path !== undefined && readStart(path, target);
  }

  /** The keys in a subfolder that begin so. */
  list(group: string, beginning: string): readonly string[] {
    return listKeys(join(this.path, group), beginning);
  }

  /** False: something stands in the place that a file cannot replace. */
  write(key: string, bytes: Uint8Array, nowMs: number): boolean {
    const folder = dirname(blockPath(this.path, key));
    if (!isFolder(folder)) mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = this.#place(key);
    const unique = `${this.#unique}-${(this.#writes++).toString(16)}`;
    const temporary = temporaryPath(this.path, key, unique);
    return path !== undefined && writeWhole({ path, temporary, bytes, nowMs });
  }

  touch(key: string, nowMs: number): void {
    const path = this.#place(key);
    if (path !== undefined) lutimesSync(path, nowMs / 1000, nowMs / 1000);
  }

  /** Whether it is gone now. */
  remove(key: string): boolean {
    const path = this.#place(key);
    return path === undefined || removeFile(path);
  }

  /** Undefined where its subfolder is missing, or a link. */
  #place(key: string): string | undefined {
    const path = blockPath(this.path, key);
    return isFolder(dirname(path)) ? path : undefined;
  }
}
