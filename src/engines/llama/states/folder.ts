/** States as files: `KEY.state`, as llama.cpp writes it, and `KEY.json`, the record, which is written last. */
import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, mkdir, readdir, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isName, parseRecord, encodeRecord } from "./record.ts";
import type { StateRecord } from "./record.ts";

/** A state is written in seconds: what is this old belongs to a process that is gone. */
const leftoverMs = 3_600_000;

export interface StoredState {
  readonly record: StateRecord;
  /** Of both files. */
  readonly bytes: number;
  /** When it was last used: the time of change of the record. */
  readonly usedMs: number;
}

export interface StateFolder {
  /** All states, the least recently used first; what is not whole is removed once nobody can be writing it. */
  list(): Promise<readonly StoredState[]>;
  /** Fills a file through `write`, and makes it a state once it is whole. Returns its size. */
  write(state: Omit<StateRecord, "sizeBytes" | "checksum">, write: (path: string) => Promise<void>): Promise<number>;
  /** The path of a state whose every byte is what was written; undefined: there is none, and what was there is removed. */
  prove(record: StateRecord): Promise<string | undefined>;
  remove(key: string): Promise<void>;
}

export async function openStateFolder(path: string, now: () => number = Date.now): Promise<StateFolder> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const stateOf = (key: string): string => join(path, `${key}.state`);
  const recordOf = (key: string): string => join(path, `${key}.json`);
  const remove = async (key: string): Promise<void> => {
    await rm(recordOf(key), { force: true });
    await rm(stateOf(key), { force: true });
  };

  const read = async (key: string): Promise<StoredState | undefined> => {
    const [state, file] = [await findFile(stateOf(key)), await findFile(recordOf(key))];
    const record = file && parseRecord(await readFile(recordOf(key), "utf8").catch(() => ""));
    if (!state || !file || record?.key !== key || record.sizeBytes !== state.size) {
      if (now() - Math.max(state?.mtimeMs ?? 0, file?.mtimeMs ?? 0) > leftoverMs) await remove(key);
      return undefined;
    }
    return { record, bytes: state.size + file.size, usedMs: file.mtimeMs };
  };
  const touch = (file: string): Promise<void> => utimes(file, now() / 1000, now() / 1000);
  const sweep = async (name: string): Promise<void> => {
    const found = await findFile(join(path, name));
    if (found && now() - found.mtimeMs > leftoverMs) await rm(join(path, name), { force: true });
  };
  return {
    async list() {
      const keys = new Set<string>();
      for (const name of await readdir(path)) {
        const [key = "", kind] = name.split(".");
        if (isName(key) && (kind === "state" || kind === "json") && name === `${key}.${kind}`) keys.add(key);
        else if (name.endsWith(".tmp")) await sweep(name);
      }
      const found: StoredState[] = [];
      for (const key of keys) found.push(...[await read(key)].filter((state) => state !== undefined));
      return found.sort((left, right) => left.usedMs - right.usedMs);
    },
    async write(state, write) {
      const temporary = join(path, `${state.key}.${randomBytes(6).toString("hex")}.tmp`);
      try {
        await write(temporary);
        const { size = 0 } = (await findFile(temporary)) ?? {};
        const record = encodeRecord({ ...state, sizeBytes: size, checksum: await hashFile(temporary) });
        await rename(temporary, stateOf(state.key));
        await writeFile(`${temporary}.tmp`, record, { mode: 0o600, flag: "wx" });
        await touch(`${temporary}.tmp`);
        await rename(`${temporary}.tmp`, recordOf(state.key));
        return size + Buffer.byteLength(record);
      } finally {
        await rm(temporary, { force: true });
        await rm(`${temporary}.tmp`, { force: true });
      }
    },
    async prove({ key, sizeBytes, checksum }) {
      const file = await findFile(stateOf(key));
      if (file?.size === sizeBytes && (await hashFile(stateOf(key)).catch(() => "")) === checksum) {
        await touch(recordOf(key)).catch(() => {});
        return stateOf(key);
      }
      await remove(key);
      return undefined;
    },
    remove,
  };
}

/** A plain file, and not a link to one. */
async function findFile(path: string): Promise<{ readonly size: number; readonly mtimeMs: number } | undefined> {
  const found = await lstat(path).catch(() => undefined);
  return found?.isFile() ? found : undefined;
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path, { highWaterMark: 1024 ** 2 })) hash.update(piece as Buffer);
  return hash.digest("hex");
}
