/** Entry of a thread that computes pieces, one after the other. */
import { parentPort } from "node:worker_threads";
import { serializeError } from "../../error.ts";
import { createCompute } from "./compute.ts";
import type { PieceReply } from "./pool.ts";
import type { Piece } from "./work.ts";

const compute = createCompute();

parentPort?.on("message", (piece: Piece) => parentPort?.postMessage(reply(piece)));

function reply(piece: Piece): PieceReply {
  try {
    compute(piece);
    return {};
  } catch (error) {
    return { error: serializeError(error) };
  }
}
