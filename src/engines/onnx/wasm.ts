/**
 * ONNX Runtime as WebAssembly with the face of the native one: for machines that the native library is not built for.
 * Files are read here: the WebAssembly build knows no file system.
 */
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { openOnnx } from "../../formats/onnx/read.ts";
import type { Runtime, RuntimeSession, RuntimeSessionOptions } from "./runtime.ts";
import { createTurns } from "./turns.ts";

/** The part of onnxruntime-web that is used. */
interface WebRuntime {
  readonly Tensor: Runtime["Tensor"];
  readonly env: { readonly wasm: { numThreads?: number } };
  readonly InferenceSession: { create(model: Uint8Array, options: WebSessionOptions): Promise<RuntimeSession> };
}

interface WebSessionOptions {
  readonly executionProviders: readonly ["wasm"];
  readonly logSeverityLevel: 3;
  readonly externalData: readonly { readonly path: string; readonly data: Uint8Array }[];
}

export function isWasmModule(module: string): boolean {
  return module.includes("/onnxruntime-web/");
}

let known: Promise<Runtime> | undefined;

/** `module`: URL of onnxruntime-web. */
export async function importWasmRuntime(module: string): Promise<Runtime> {
  return await (known ??= open(module));
}

async function open(module: string): Promise<Runtime> {
  const web = (await import(module)) as WebRuntime;
  // One instance computes for all sessions: two at once would meet in its memory.
  const turns = createTurns();
  const create = async (
    model: string | Uint8Array,
    { intraOpNumThreads }: Partial<RuntimeSessionOptions> = {},
  ): Promise<RuntimeSession> => {
    // Of the first session: the others share its threads.
    if (intraOpNumThreads !== undefined) web.env.wasm.numThreads ??= intraOpNumThreads;
    const bytes = typeof model === "string" ? readFileSync(model) : model;
    const externalData = typeof model === "string" ? readExternal(model) : [];
    const options = { executionProviders: ["wasm"], logSeverityLevel: 3, externalData } as const;
    return inTurn(await turns(async () => await web.InferenceSession.create(bytes, options)), turns);
  };
  return { Tensor: web.Tensor, InferenceSession: { create } };
}

function readExternal(path: string): WebSessionOptions["externalData"] {
  const { external, close } = openOnnx(path);
  close();
  return [...external].map(([name, file]) => ({ path: name, data: readFileSync(file) }));
}

/** Whatever else transformers.js asks of a session it finds there too. */
function inTurn(session: RuntimeSession, turns: ReturnType<typeof createTurns>): RuntimeSession {
  return new Proxy(session, {
    get(target, name) {
      if (name === "run")
        return async (...words: Parameters<RuntimeSession["run"]>) => await turns(() => target.run(...words));
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value as () => unknown).bind(target) : value;
    },
  });
}

/**
 * transformers.js takes the runtime that it finds under this name, but loads the native one all the same: it gets a module
 * of Node in its place, of which it uses nothing.
 */
export async function offerWasmRuntime(module: string): Promise<void> {
  const runtime = await importWasmRuntime(module);
  (globalThis as Record<symbol, unknown>)[Symbol.for("onnxruntime")] = runtime;
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === "onnxruntime-node" ? { url: "node:path", shortCircuit: true } : next(specifier, context),
  });
}
