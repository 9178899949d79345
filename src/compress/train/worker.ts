/** Entry of a thread that trains. */
import { parentPort, workerData } from "node:worker_threads";
import { serializeError } from "../../error.ts";
import type { LaneData, LaneReply, LaneTask } from "./crew.ts";
import { runTask } from "./crew.ts";
import { createLane } from "./lane.ts";
import { createMachine } from "./machine.ts";

const { module, memory, setup, index } = workerData as LaneData;
const lane = createLane({ machine: createMachine(module, memory), setup, index });

function answer(task: LaneTask): LaneReply {
  try {
    return runTask(lane, task);
  } catch (error) {
    return { type: "error", error: serializeError(error) };
  }
}

parentPort?.on("message", (task: LaneTask) => parentPort?.postMessage(answer(task)));
