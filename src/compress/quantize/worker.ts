/** Entry of a thread that quantizes. */
import { parentPort, workerData } from "node:worker_threads";
import { serializeError } from "../../error.ts";
import type { PieceTask, WorkerReply } from "./task.ts";
import { runTask } from "./task.ts";

function run(): WorkerReply {
  try {
    runTask(workerData as PieceTask);
    return {};
  } catch (error) {
    return { error: serializeError(error) };
  }
}

parentPort?.postMessage(run());
