/** The part of onnxruntime-node that is used. Its own types come with the pack, which may not be there. */
import { HearthError } from "../../error.ts";
import { importWasmRuntime, isWasmModule } from "./wasm.ts";

export interface RuntimeTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: ArrayBufferView | readonly string[];
}

export interface RuntimeValue {
  readonly name: string;
  readonly isTensor: boolean;
  /** Of tensors. */
  readonly type?: string;
  /** A free dimension has a name, "" or a negative size. */
  readonly shape?: readonly (number | string)[];
}

export interface RuntimeSession {
  readonly inputMetadata: readonly RuntimeValue[];
  readonly outputMetadata: readonly RuntimeValue[];
  run(
    feeds: Readonly<Record<string, RuntimeTensor>>,
    fetches?: readonly string[],
  ): Promise<Readonly<Record<string, RuntimeTensor>>>;
  release(): Promise<void>;
}

/** An execution provider with its settings. */
export type ProviderOption = string | { readonly name: string; readonly [setting: string]: unknown };

export interface RuntimeSessionOptions {
  readonly executionProviders: readonly ProviderOption[];
  readonly intraOpNumThreads: number;
  readonly interOpNumThreads: number;
  /** 3: errors alone. */
  readonly logSeverityLevel: 3;
  /** Entries of the session's configuration, by the parts of their names. */
  readonly extra: Readonly<Record<string, unknown>>;
}

export interface Runtime {
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => RuntimeTensor;
  readonly InferenceSession: { create(path: string, options: RuntimeSessionOptions): Promise<RuntimeSession> };
  /** Execution providers of this build; `bundled`: with the library that they need. */
  listSupportedBackends?(): readonly { readonly name: string; readonly bundled: boolean }[];
}

/** `module`: URL of onnxruntime-node, or of onnxruntime-web. Throws `engine_missing` where the native one does not load. */
export async function importRuntime(module: string): Promise<Runtime> {
  if (isWasmModule(module)) return await importWasmRuntime(module);
  try {
    const runtime = (await import(module)) as Runtime & { readonly default?: Runtime };
    return runtime.default ?? runtime;
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw new HearthError("engine_missing", `ONNX Runtime's native library does not load here: ${reason}.`, {
      hint: "",
      details: { native: "onnxruntime-node" },
      cause: error,
    });
  }
}
