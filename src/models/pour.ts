import type { FileHandle } from "node:fs/promises";
import { HearthError } from "../error.ts";
import { formatDuration } from "../util/format.ts";
import { hostOf, type Answer } from "./sources/request.ts";

/** Where the next byte goes. It stays true when the connection breaks, so that the rest can be asked for. */
export interface Cursor {
  position: number;
  readonly end: number;
}

export interface PourOptions {
  readonly data: FileHandle;
  readonly cursor: Cursor;
  readonly onBytes: (bytes: number) => void;
  readonly stallTimeoutMs: number;
}

/** Writes the body of an answer to its place in a file. A connection that brings nothing for too long is ended. */
export async function pour(answer: Answer, { data, cursor, onBytes, stallTimeoutMs }: PourOptions): Promise<void> {
  const stalled = new HearthError(
    "offline",
    `${hostOf(answer.url)} sent nothing for ${formatDuration(stallTimeoutMs)}.`,
  );
  const timer = setTimeout(() => {
    answer.abort(stalled);
  }, stallTimeoutMs);
  try {
    for await (const bytes of answer.response.body ?? []) {
      timer.refresh();
      if (cursor.position + bytes.length > cursor.end) {
        throw new HearthError("pull_failed", `${hostOf(answer.url)} sends more bytes than were asked for.`);
      }
      await writeAll(data, bytes, cursor.position);
      cursor.position += bytes.length;
      onBytes(bytes.length);
    }
  } finally {
    clearTimeout(timer);
  }
}

async function writeAll(data: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += (await data.write(bytes, written, bytes.length - written, position + written)).bytesWritten;
  }
}
