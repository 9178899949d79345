/** Models in ONNX Runtime. The native library is loaded where it is used: in a child process. */
import { HearthError } from "../../error.ts";
import { elements } from "../../formats/onnx/types.ts";
import type { Dimension, ElementType } from "../../formats/onnx/types.ts";
import { isNumberType } from "../../formats/tensor.ts";
import type { Tensor, TensorNumbers } from "../../formats/tensor.ts";
import type { Tensor as AnyTensor } from "../../spec/media.ts";
import { importRuntime } from "./runtime.ts";
import type { ProviderOption, Runtime, RuntimeSession, RuntimeTensor, RuntimeValue } from "./runtime.ts";

export interface SessionOptions {
  /** Module of onnxruntime-node, as a URL. */
  readonly module: string;
  /** Of a file that `formats/onnx` has accepted. */
  readonly path: string;
  readonly threads: number;
  /** Best first; default the CPU. */
  readonly providers?: readonly ProviderOption[];
}

/** An input or an output. Sequences and maps have no type here: they are no tensors. */
export interface Port {
  readonly name: string;
  readonly type: ElementType | undefined;
  readonly shape: readonly Dimension[];
}

export type Tensors = Readonly<Record<string, Tensor>>;
export type AnyTensors = Readonly<Record<string, AnyTensor>>;

export interface OnnxSession {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** All outputs that are tensors of numbers, or those that are named. Throws `engine_failed`. */
  run(feeds: Tensors, names?: readonly string[]): Promise<Tensors>;
  /** The same with texts among the tensors. */
  infer(feeds: AnyTensors, names?: readonly string[]): Promise<AnyTensors>;
  dispose(): Promise<void>;
}

/**
 * Threads that wait for each other do not spin: where another process holds a core, that burns the time that the missing
 * thread needs. Whisper tiny took 1.6 times as long with it on a busy machine of two cores.
 */
export const sharing = { session: { intra_op: { allow_spinning: "0" } } } as const;

/** Throws `engine_load_failed` where the runtime does not take the model. */
export async function createSession({ module, path, threads, providers }: SessionOptions): Promise<OnnxSession> {
  const runtime = await importRuntime(module);
  let session: RuntimeSession;
  try {
    session = await runtime.InferenceSession.create(path, {
      executionProviders: providers ?? ["cpu"],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
      extra: sharing,
    });
  } catch (error) {
    throw new HearthError("engine_load_failed", `ONNX Runtime does not load the model: ${textOf(error)}`, {
      hint: "It may need a newer version, or an operator that is not there.",
      cause: error,
    });
  }
  const run = async (feeds: AnyTensors, names?: readonly string[]): Promise<AnyTensors> =>
    await runSession(runtime, session, { feeds, names });
  return {
    inputs: session.inputMetadata.map(toPort),
    outputs: session.outputMetadata.map(toPort),
    run: async (feeds, names) => numbersOf(await run(feeds, names)),
    infer: run,
    dispose: async () => await session.release(),
  };
}

function toPort({ name, isTensor, type = "", shape = [] }: RuntimeValue): Port {
  if (!isTensor || !Object.hasOwn(elements, type)) return { name, type: undefined, shape: [] };
  const sizes = shape.map((size) => (size === "" || (typeof size === "number" && size < 0) ? undefined : size));
  return { name, type: type as ElementType, shape: sizes };
}

interface Run {
  readonly feeds: AnyTensors;
  readonly names: readonly string[] | undefined;
}

async function runSession(runtime: Runtime, session: RuntimeSession, { feeds, names }: Run): Promise<AnyTensors> {
  try {
    const entries = Object.entries(feeds);
    const given = Object.fromEntries(
      entries.map(([name, { type, shape, data }]) => [name, new runtime.Tensor(type, data, shape)]),
    );
    const results = await (names ? session.run(given, names) : session.run(given));
    return Object.fromEntries(Object.entries(results).flatMap(([name, result]) => toTensor(name, result)));
  } catch (error) {
    throw new HearthError("engine_failed", `ONNX Runtime could not run the model: ${textOf(error)}`, {
      hint: "Check the shapes and types of the inputs.",
      cause: error,
    });
  }
}

function toTensor(name: string, result: RuntimeTensor): [string, AnyTensor][] {
  const { type, dims, data } = result;
  if (!ArrayBuffer.isView(data)) return type === "string" ? [[name, { type, shape: dims, data }]] : [];
  if (!isNumberType(type)) return [];
  // Newer releases of Node have an array of halves; we keep their bits.
  const halves = type === "float16" && !(data instanceof Uint16Array);
  const own = halves ? new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2) : (data as TensorNumbers);
  return [[name, { type, shape: dims, data: own }]];
}

function numbersOf(tensors: AnyTensors): Tensors {
  const entries = Object.entries(tensors).flatMap(([name, { type, shape, data }]) =>
    isNumberType(type) && ArrayBuffer.isView(data) ? [[name, { type, shape, data }] as const] : [],
  );
  return Object.fromEntries(entries);
}

function textOf(error: unknown): string {
  const text = error instanceof Error ? error.message.trim() : String(error);
  // What begins with a line of its source says last what is wrong.
  return text.startsWith("/onnxruntime_src") ? (text.replace(/\.$/, "").split(". ").at(-1) ?? text) : text;
}
