/** What a teacher says of every place of a text, kept on disk: its likeliest tokens and how likely they are. */
import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { HearthError } from "../../error.ts";
import { diskFreeBytes } from "../../hardware/disk.ts";
import { formatBytes } from "../../util/format.ts";
import type { Answer } from "../train/loss.ts";

export interface AnswerStore {
  /** Keeps the answers of the next window. */
  write(answer: Answer): void;
  read(window: number): Answer;
  close(): void;
}

export interface AnswerStoreOptions {
  readonly folder: string;
  readonly windows: number;
  /** Tokens of the answers of a window. */
  readonly length: number;
}

/** Throws `disk_full`. The file has no name any more when this returns, where the system can do that. */
export async function openAnswerStore({ folder, windows, length }: AnswerStoreOptions): Promise<AnswerStore> {
  const bytes = length * 8;
  mkdirSync(folder, { recursive: true });
  const free = await diskFreeBytes(folder);
  if (free !== undefined && free < bytes * windows) {
    throw new HearthError(
      "disk_full",
      `What the teacher says takes ${formatBytes(bytes * windows)} in ${folder}; ${formatBytes(free)} are free.`,
      { hint: "Free some space, or take fewer steps or a shorter text.", details: { freeBytes: free } },
    );
  }
  const path = join(folder, `answers-${process.pid}-${randomBytes(4).toString("hex")}.tmp`);
  const descriptor = openSync(path, "wx+");
  let named = process.platform === "win32";
  if (!named) rmSync(path);
  let written = 0;
  return {
    write({ tokens, probabilities }) {
      const record = new Uint8Array(bytes);
      record.set(new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength));
      record.set(new Uint8Array(probabilities.buffer, probabilities.byteOffset, probabilities.byteLength), length * 4);
      for (let done = 0; done < bytes;)
        done += writeSync(descriptor, record, done, bytes - done, written * bytes + done);
      written++;
    },
    read(window) {
      const record = new Uint8Array(bytes);
      for (let done = 0; done < bytes;) {
        const count = readSync(descriptor, record, done, bytes - done, window * bytes + done);
        if (count === 0) throw new RangeError(`no window ${window} of ${written}`);
        done += count;
      }
      return {
        tokens: new Int32Array(record.buffer, 0, length),
        probabilities: new Float32Array(record.buffer, length * 4, length),
      };
    },
    close() {
      closeSync(descriptor);
      if (named) rmSync(path, { force: true });
      named = false;
    },
  };
}
