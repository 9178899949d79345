/**
 * A lock between processes: a file that its holder keeps fresh. Of a holder that died, the next one takes over. If two
 * ever held one lock at once, the store would still be right: what becomes visible is hashed and renamed first.
 */
import { open, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import type { Progress } from "../spec/model.ts";
import { sleep } from "../util/abort.ts";

export interface LockOptions {
  readonly signal?: AbortSignal;
  /** Called while another process holds the lock, with the progress that it reported last. */
  readonly onWait?: (progress: Progress | undefined) => void;
}

export interface LockHandle {
  /** Tells the processes that wait how far this one is. */
  report(progress: Progress): void;
}

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** Start of the process in kernel ticks, where the system tells: a pid alone may have been given out again. */
  readonly started: string | undefined;
  readonly nonce: string;
  readonly progress?: Progress;
}

const beatMs = 500;
/** A lock of another machine or container, whose processes we cannot see, is dead after this time without a beat. */
const silentMs = 15_000;

export async function withLock<T>(
  path: string,
  options: LockOptions,
  work: (lock: LockHandle) => Promise<T>,
): Promise<T> {
  const holder = await acquire(path, options);
  let progress: Progress | undefined;
  let writing = Promise.resolve();
  const beat = setInterval(() => {
    writing = beatOnce(writing, path, { ...holder, ...(progress && { progress }) });
  }, beatMs);
  beat.unref();
  try {
    return await work({
      report(next) {
        progress = next;
      },
    });
  } finally {
    clearInterval(beat);
    await writing;
    if ((await readHolder(path))?.nonce === holder.nonce) await rm(path, { force: true });
  }
}

async function beatOnce(before: Promise<void>, path: string, holder: Holder): Promise<void> {
  await before;
  await refresh(path, holder);
}

async function acquire(path: string, { signal, onWait }: LockOptions): Promise<Holder> {
  const holder: Holder = {
    pid: process.pid,
    host: hostname(),
    started: startOf(process.pid),
    nonce: randomBytes(8).toString("hex"),
  };
  for (;;) {
    signal?.throwIfAborted();
    if (await create(path, holder)) return holder;
    const other = await readHolder(path);
    if (await isDead(path, other)) await breakLock(path, other);
    else {
      onWait?.(other?.progress);
      await sleep(50 + Math.random() * 50, signal);
    }
  }
}

async function create(path: string, holder: Holder): Promise<boolean> {
  try {
    const handle = await open(path, "wx");
    try {
      await handle.writeFile(JSON.stringify(holder));
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

async function refresh(path: string, holder: Holder): Promise<void> {
  if ((await readHolder(path))?.nonce !== holder.nonce) return;
  const staged = `${path}.${holder.nonce}`;
  try {
    const handle = await open(staged, "w");
    try {
      await handle.writeFile(JSON.stringify(holder));
    } finally {
      await handle.close();
    }
    await rename(staged, path);
  } catch {
    // A full disk must not end the work; the beat itself needs no space.
    await rm(staged, { force: true });
    const now = new Date();
    await utimes(path, now, now).catch(() => undefined);
  }
}

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const value = JSON.parse(await readFile(path, "utf8")) as Partial<Holder> | null;
    return typeof value?.pid === "number" && typeof value.nonce === "string" ? (value as Holder) : undefined;
  } catch {
    return undefined;
  }
}

async function isDead(path: string, holder: Holder | undefined): Promise<boolean> {
  if (holder?.host === hostname()) return !isAlive(holder);
  const found = await stat(path).catch(() => undefined);
  // A holder that is just writing its first line has an empty file for a moment.
  return found !== undefined && Date.now() - found.mtimeMs > (holder ? silentMs : 2000);
}

function isAlive({ pid, started }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
  const now = startOf(pid);
  return started === undefined || now === undefined || now === started;
}

/** Takes a dead lock away. Renaming first makes sure that of many who try, one removes exactly the dead one. */
async function breakLock(path: string, dead: Holder | undefined): Promise<void> {
  const aside = `${path}.${randomBytes(6).toString("hex")}.dead`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  const taken = await readHolder(aside);
  if (taken?.nonce === dead?.nonce) await rm(aside, { force: true });
  else await rename(aside, path);
}

function startOf(pid: number): string | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    // Field 22 of /proc/<pid>/stat; the second field may hold spaces and ends with the last parenthesis.
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}
