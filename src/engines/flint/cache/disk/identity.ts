import { checkpointFolder } from "../../../../formats/model.ts";
import { readGguf } from "../../../../formats/gguf/read.ts";
import type { GgufFile } from "../../../../formats/gguf/types.ts";
import type { LoadOptions } from "../../../../spec/engine.ts";
import type { Hyperparameters } from "../../architectures/hyperparameters.ts";
import { detectLevel } from "../../kernels/wasm/simd.ts";
import { fingerprint } from "../../../../formats/gguf/fingerprint.ts";
import { engineVersion, formatVersion } from "./version.ts";

export interface IdentifiedLoad {
  readonly path: string;
  readonly header: GgufFile;
  /** As they are computed: LongRoPE, for one, depends on the context that the model is loaded for. */
  readonly layers: Hyperparameters["layers"];
  readonly options: Pick<LoadOptions, "adapters" | "kvTypeK" | "kvTypeV" | "quantize">;
}

/**
 * All that the keys and values of a token depend on besides the tokens before it, and besides the adapters and scales that
 * a request chooses: blocks of one load are those of another where this text is the same. Throws where a file cannot be read.
 */
export async function identifyLoad({ path, header, layers, options }: IdentifiedLoad): Promise<string> {
  const { adapters = [], kvTypeK = "f16", kvTypeV = "f16", quantize } = options;
  const loras: string[] = [];
  for (const { path: adapter } of adapters) loras.push(await identifyAdapter(adapter));
  return JSON.stringify({
    formatVersion,
    engineVersion,
    model: await identifyModel(path, header),
    // Weights that are rounded while they are loaded are others.
    ...(quantize && { quantize }),
    adapters: loras,
    layers,
    kvTypes: [kvTypeK, kvTypeV],
    // Kernels of one level may still round differently on another kind of machine.
    machine: [process.arch, detectLevel()],
  });
}

async function identifyAdapter(path: string): Promise<string> {
  const folder = checkpointFolder(path);
  if (folder === undefined) return fingerprint(path, await readGguf(path));
  const { fingerprintFiles } = await import("../../../../formats/checkpoint/fingerprint.ts");
  return fingerprintFiles(folder, ["adapter_config.json"], ["adapter_model.safetensors"]);
}

async function identifyModel(path: string, header: GgufFile): Promise<string> {
  const folder = checkpointFolder(path);
  if (folder === undefined) return fingerprint(path, header);
  const { fingerprintCheckpoint } = await import("../../../../formats/checkpoint/fingerprint.ts");
  return fingerprintCheckpoint(folder);
}
