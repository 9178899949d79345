/** LiteRT.js in Node. It is made for browsers, and its WebAssembly for both. */
import { loadScript } from "./script.ts";
import type { TfliteLibrary } from "./setup.ts";

export type Accelerator = "wasm" | "webgpu";

/** The part of @litertjs/core that is used here: the package itself comes with the pack. */
interface LiteRtModule {
  Tensor: new (data: ArrayBufferView, shape: readonly number[]) => LiteRtTensor;
  loadLiteRt: (path: string, options: { readonly threads: boolean }) => Promise<{ readonly liteRtWasm: LiteRtMemory }>;
  loadAndCompile: (model: Uint8Array, options: { readonly accelerator: Accelerator }) => Promise<LiteRtModel>;
}

interface LiteRtMemory {
  readonly HEAPU8: Uint8Array;
}

export interface LiteRtTensor {
  readonly type: { readonly dtype: string; readonly layout: { readonly dimensions: ArrayLike<number> } };
  data(): Promise<ArrayBufferView>;
  delete(): void;
}

export interface LiteRtRunner {
  readonly key: string;
  getInputDetails(): readonly { readonly name: string }[];
  getOutputDetails(): readonly { readonly name: string }[];
  run(inputs: readonly LiteRtTensor[]): Promise<readonly LiteRtTensor[]>;
}

export interface LiteRtModel {
  readonly signatures: Readonly<Record<string, LiteRtRunner>>;
  /** What it was compiled for in the end: LiteRT falls back by itself. */
  readonly options: { readonly accelerator: Accelerator };
  delete(): void;
}

export interface LiteRt extends Pick<LiteRtModule, "Tensor" | "loadAndCompile"> {
  /** All memory of the module, models among it. */
  heapBytes(): number;
}

interface Browser {
  self?: unknown;
  ModuleFactory?: unknown;
  importScripts?: (url: string) => void;
}

export interface LiteRtOptions {
  readonly library: TfliteLibrary;
  readonly threads: number;
}

/** One for each process: LiteRT.js keeps itself in a global. */
export async function openLiteRt({ library, threads }: LiteRtOptions): Promise<LiteRt> {
  const browser = globalThis as Browser;
  browser.self ??= globalThis;
  browser.importScripts = (path) => {
    browser.ModuleFactory = loadScript(path);
  };
  // It makes so many workers, and takes as many threads for a model.
  Object.defineProperty(navigator, "hardwareConcurrency", { value: threads, configurable: true });
  const { loadLiteRt, Tensor, loadAndCompile } = (await import(library.litert)) as LiteRtModule;
  const { liteRtWasm } = await loadLiteRt(`${library.wasm}/`, { threads: threads > 1 });
  return { Tensor, loadAndCompile, heapBytes: () => liteRtWasm.HEAPU8.byteLength };
}
