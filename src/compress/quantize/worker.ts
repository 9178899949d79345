/** Entry of a thread that quantizes: it is told what to do when that is known, and by then has its code. */
import { parentPort } from "node:worker_threads";
import { serializeError } from "../../error.ts";
import type { PieceTask, WorkerReply } from "./task.ts";
import { runTask } from "./task.ts";

async function run(task: PieceTask): Promise<WorkerReply> {
  try {
    await runTask(task);
    return {};
  } catch (error) {
    return { error: serializeError(error) };
  }
}

parentPort?.once("message", (task: PieceTask) => {
  void run(task).then((reply) => parentPort?.postMessage(reply));
});
