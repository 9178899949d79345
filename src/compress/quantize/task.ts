/** What a thread that quantizes is told, and what it does. */
import { closeSync, openSync, writeSync } from "node:fs";
import type { SerializedError } from "../../error.ts";
import type { SourcePath } from "../source.ts";
import { openData } from "../source.ts";
import { runPieces } from "./pieces.ts";
import type { PieceWork } from "./pieces.ts";

export interface PieceTask extends Pick<PieceWork, "jobs" | "module" | "progress"> {
  readonly source: SourcePath;
  /** A file that is there already, as large as it will be. */
  readonly out: string;
}

/** `error`: what ended the work of a thread; absent: nothing is left to do. */
export interface WorkerReply {
  readonly error?: SerializedError;
}

export async function runTask({ source, out, ...task }: PieceTask): Promise<void> {
  const data = await openData(source);
  const descriptor = openSync(out, "r+");
  try {
    runPieces({ ...task, data, write: (offset, bytes) => writeAll(descriptor, offset, bytes) });
  } finally {
    closeSync(descriptor);
    data.close();
  }
}

function writeAll(descriptor: number, offset: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(descriptor, bytes, done, bytes.length - done, offset + done);
  }
}
