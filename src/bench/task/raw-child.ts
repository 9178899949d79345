// The raw side's process: onnxruntime-node as its own documentation shows it, one `session.run` for each call.
import { importRuntime } from "../../engines/onnx/runtime.ts";
import type { Runtime, RuntimeSession, RuntimeTensor } from "../../engines/onnx/runtime.ts";
import { sharing } from "../../engines/onnx/session.ts";
import { runLoop, type Sample } from "./loop.ts";
import type { Tensors } from "./tensors.ts";

interface Load {
  readonly type: "load";
  /** URL of onnxruntime-node. */
  readonly module: string;
  readonly path: string;
  readonly threads: number;
  readonly outputs: readonly string[];
}

export type RawRequest =
  | Load
  /** Inputs of a task, in turn. */
  | { readonly type: "inputs"; readonly task: string; readonly inputs: readonly Tensors[] }
  | {
      readonly type: "measure";
      readonly task: string;
      readonly clients: number;
      readonly ms: number;
      readonly atLeast: number;
    };

export type RawReply =
  | { readonly type: "done"; readonly residentBytes: number; readonly sample?: Sample }
  | { readonly type: "failed"; readonly message: string };

let runtime: Runtime | undefined;
let session: RuntimeSession | undefined;
let names: readonly string[] = [];
const feeds = new Map<string, Readonly<Record<string, RuntimeTensor>>[]>();

/** As many threads as hearth uses, and waiting as hearth's do: else a busy machine would say who won. */
async function load({ module, path, threads, outputs }: Load): Promise<void> {
  names = outputs;
  runtime = await importRuntime(module);
  session = await runtime.InferenceSession.create(path, {
    executionProviders: ["cpu"],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    extra: sharing,
  });
}

async function work(request: RawRequest): Promise<Sample | undefined> {
  if (request.type === "load") {
    await load(request);
    return undefined;
  }
  if (!runtime || !session) throw new Error("No model is loaded.");
  const { Tensor } = runtime;
  if (request.type === "inputs") {
    const made = request.inputs.map((tensors) =>
      Object.fromEntries(
        Object.entries(tensors).map(([name, { type, data, shape }]) => [name, new Tensor(type, data, shape)]),
      ),
    );
    feeds.set(request.task, made);
    return undefined;
  }
  const inputs = feeds.get(request.task) ?? [];
  const opened = session;
  return await runLoop(async (index) => {
    const input = inputs[index % inputs.length] ?? {};
    await (names.length > 0 ? opened.run(input, names) : opened.run(input));
  }, request);
}

function reply(message: RawReply): void {
  process.send?.(message);
}

process.on("message", (request: RawRequest) => {
  work(request).then(
    (sample) => reply({ type: "done", residentBytes: process.memoryUsage.rss(), ...(sample && { sample }) }),
    (error: unknown) => reply({ type: "failed", message: error instanceof Error ? error.message : String(error) }),
  );
});

process.on("disconnect", () => {
  process.exit(0);
});
