/** flint in a browser page. The page must be isolated from other origins (`browserProblem`). */
import { HearthError } from "../../error.ts";
import { readGgufBlob } from "../../formats/gguf/header.ts";
import type { EngineLoadOptions, LoadedModel, LoadOptions } from "../../spec/engine.ts";
import type { ModelInfo } from "../../spec/model.ts";
import { detectLevel } from "./kernels/wasm/simd.ts";
import { loadModel } from "./model.ts";
import { startWebThread } from "./threads/web-thread.ts";

/** A model that a person chose; `info` is what `models/describe.ts` says of its header. */
export interface BrowserModel {
  readonly name: string;
  readonly file: Blob;
  readonly info: ModelInfo;
}

/**
 * Loads a model into threads of this page. One sequence at a time unless `options.parallel` says more. Throws
 * `unsupported_capability` where the browser lacks what flint needs, and what a load under Node throws.
 */
export async function loadInBrowser(
  { name, file, info }: BrowserModel,
  options: LoadOptions = {},
  call: EngineLoadOptions = {},
): Promise<LoadedModel> {
  const problem = browserProblem();
  if (problem) throw problem;
  return await loadModel(
    { model: { name, info }, options: { parallel: 1, ...options }, call },
    {
      readHeader: () => readGgufBlob(file, { name }),
      file: { blob: file },
      start: startWebThread,
      cores: navigator.hardwareConcurrency || 1,
    },
  );
}

/** What flint needs of a browser and this page lacks; undefined: nothing. */
export function browserProblem(): HearthError | undefined {
  const lacks = (what: string, hint: string): HearthError =>
    new HearthError("unsupported_capability", `This browser page lacks ${what}.`, { hint });
  const newer = "Use a current Chrome, Edge, Firefox or Safari.";
  if (typeof WebAssembly === "undefined" || typeof Worker === "undefined")
    return lacks("WebAssembly or workers", newer);
  if (detectLevel() === undefined) return lacks("SIMD in WebAssembly", newer);
  if (typeof SharedArrayBuffer === "undefined" || !globalThis.crossOriginIsolated) {
    return lacks(
      "shared memory",
      "Serve the page from https or localhost with the headers Cross-Origin-Opener-Policy: same-origin and " +
        "Cross-Origin-Embedder-Policy: require-corp.",
    );
  }
  if (typeof Atomics.wait !== "function") return lacks("threads that can wait (Atomics.wait)", newer);
  return undefined;
}
