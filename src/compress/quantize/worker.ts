/** Entry of a thread that quantizes. */
import { closeSync, openSync, writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import type { SerializedError } from "../../error.ts";
import { serializeError } from "../../error.ts";
import type { SourcePath } from "../source.ts";
import { openData } from "../source.ts";
import { runPieces } from "./pieces.ts";
import type { PieceWork } from "./pieces.ts";

export interface WorkerTask extends Pick<PieceWork, "jobs" | "progress"> {
  readonly source: SourcePath;
  readonly out: string;
}

/** `error`: what ended the work of this thread; absent: nothing is left to do. */
export interface WorkerReply {
  readonly error?: SerializedError;
}

const { source, out, ...task } = workerData as WorkerTask;

function run(): WorkerReply {
  try {
    const data = openData(source);
    const descriptor = openSync(out, "r+");
    try {
      runPieces({ ...task, data, write: (offset, bytes) => writeAll(descriptor, offset, bytes) });
    } finally {
      closeSync(descriptor);
      data.close();
    }
    return {};
  } catch (error) {
    return { error: serializeError(error) };
  }
}

function writeAll(descriptor: number, offset: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(descriptor, bytes, done, bytes.length - done, offset + done);
  }
}

parentPort?.postMessage(run());
