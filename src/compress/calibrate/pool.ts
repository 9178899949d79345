/** Threads that compute pieces. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { SerializedError } from "../../error.ts";
import { deserializeError } from "../../error.ts";
import type { Arena } from "./arena.ts";
import { createArena } from "./arena.ts";
import type { Piece } from "./work.ts";

export interface Pool {
  readonly threads: number;
  /** Memory for what the pieces read and write. */
  readonly arena: Arena;
  /** Resolves when all are computed. Throws what stops one of them; by then none is being computed. */
  run(pieces: readonly Piece[]): Promise<void>;
  end(): Promise<void>;
}

/** `error`: why the piece could not be computed. */
export interface PieceReply {
  readonly error?: SerializedError;
}

/** 0: the work is done in the caller's thread. */
export async function createPool(threads: number): Promise<Pool> {
  if (threads === 0) return await localPool();
  const entry = new URL(`./worker.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);
  const workers = Array.from({ length: threads }, () => new Worker(entry));
  return {
    threads,
    arena: createArena(),
    async run(pieces) {
      let next = 0;
      const results = await Promise.allSettled(
        workers.slice(0, pieces.length).map(async (worker) => {
          for (let piece = pieces[next++]; piece; piece = pieces[next++]) await compute(worker, piece);
        }),
      );
      const failed = results.find((result) => result.status === "rejected");
      if (failed) throw failed.reason;
    },
    end: async () => void (await Promise.all(workers.map((worker) => worker.terminate()))),
  };
}

async function compute(worker: Worker, piece: Piece): Promise<void> {
  const answer = once(worker, "message");
  worker.postMessage(piece);
  const [{ error }] = (await answer) as [PieceReply];
  if (error) throw deserializeError(error);
}

async function localPool(): Promise<Pool> {
  const { createCompute } = await import("./compute.ts");
  const computePiece = createCompute();
  return {
    threads: 1,
    arena: createArena(),
    async run(pieces) {
      for (const piece of pieces) computePiece(piece);
    },
    end: async () => undefined,
  };
}
