import type { LoadOptions } from "../../../spec/engine.ts";
import { fingerprint } from "../../../formats/gguf/fingerprint.ts";
import { readModelFiles } from "../files.ts";

export interface IdentifiedLoad {
  readonly path: string;
  readonly options: Pick<LoadOptions, "adapters" | "kvTypeK" | "kvTypeV" | "flashAttention" | "gpuLayers">;
  readonly device: string;
  /** Of node-llama-cpp. */
  readonly version: string;
  /** A state fits contexts with as many sequences only. */
  readonly sequences: number;
}

/** All that a state of llama.cpp depends on besides tenant and tokens. Throws where a file cannot be read. */
export async function identifyLoad({ path, options, ...rest }: IdentifiedLoad): Promise<string> {
  const { adapters = [], kvTypeK = "f16", kvTypeV = "f16", flashAttention = "auto", gpuLayers = "auto" } = options;
  const loras: (readonly [readonly string[], number])[] = [];
  for (const { path: lora, scale = 1 } of adapters) loras.push([await identifyFiles(lora), scale]);
  const weights = await identifyFiles(path);
  return JSON.stringify({ weights, loras, kvTypes: [kvTypeK, kvTypeV], flashAttention, gpuLayers, ...rest });
}

async function identifyFiles(path: string): Promise<readonly string[]> {
  return (await readModelFiles(path)).map((file) => fingerprint(file.path, file.header));
}
