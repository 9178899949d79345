import { HearthError } from "../../error.ts";
import { printable } from "../gguf/malformed.ts";
import { openSafetensors } from "../safetensors/read.ts";
import type { OpenSafetensors } from "../safetensors/read.ts";
import type { CheckpointFiles } from "./files.ts";
import { weightFiles } from "./files.ts";
import type { RawTensor } from "./scheme.ts";

/** The tensors of all shards, as they are in the files. */
export interface RawTensors {
  readonly tensors: ReadonlyMap<string, RawTensor>;
  /** `__metadata__` of the first file. */
  readonly metadata: ReadonlyMap<string, string>;
  readonly close: () => void;
}

/** Opens the shards and checks their headers against each other and against the index. Reads no data. */
export function openRaw(files: CheckpointFiles): RawTensors {
  const { names, index } = weightFiles(files);
  const shards: OpenSafetensors[] = [];
  const close = (): void => {
    for (const shard of shards) shard.close();
  };
  try {
    for (const name of names) shards.push(openSafetensors(files.paths.get(name) ?? name, name));
    const tensors = new Map<string, RawTensor>();
    for (const shard of shards) addShard(tensors, shard, files.name);
    if (index) checkIndex(index, shards);
    return { tensors, metadata: shards[0]?.file.metadata ?? new Map(), close };
  } catch (error) {
    close();
    throw error;
  }
}

function addShard(tensors: Map<string, RawTensor>, { file, read }: OpenSafetensors, checkpoint: string): void {
  for (const { name, dtype, shape, offset, sizeBytes } of file.tensors.values()) {
    if (tensors.has(name)) {
      throw new HearthError("model_malformed", `${checkpoint}: ${printable(name)} is in two files, one ${file.name}.`, {
        hint: "Keep the shards of one model in the folder.",
        details: { field: printable(name) },
      });
    }
    tensors.set(name, { name, dtype, shape, sizeBytes, read: (at, target) => read(offset + at, target) });
  }
}

function checkIndex(index: ReadonlyMap<string, string>, shards: readonly OpenSafetensors[]): void {
  const byName = new Map(shards.map(({ file }) => [file.name, file.tensors]));
  for (const [tensor, file] of index) {
    if (byName.get(file)?.has(tensor)) continue;
    throw new HearthError(
      "model_malformed",
      `The index says that ${printable(tensor)} is in ${file}, which does not have it.`,
      { hint: "The shards are not those of this index; fetch the model again.", details: { field: printable(tensor) } },
    );
  }
}
