import { bytesOf } from "../../formats/checkpoint/reverse/tensors.ts";
import type { CheckpointTensor } from "../../formats/checkpoint/reverse/tensors.ts";

export interface Shard {
  readonly name: string;
  readonly tensors: readonly CheckpointTensor[];
  /** Of the data. */
  readonly bytes: number;
}

/** As large as others make them: hubs and file systems take files of 5 GB. */
const mostBytes = 5e9;

/** Files of at most 5 GB, the tensors in their order; a tensor is never cut. */
export function planShards(tensors: readonly CheckpointTensor[], most: number = mostBytes): readonly Shard[] {
  const groups: CheckpointTensor[][] = [];
  let bytes = Infinity;
  for (const tensor of tensors) {
    const size = bytesOf(tensor);
    if (bytes + size > most) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)?.push(tensor);
    bytes += size;
  }
  return groups.map((group, index) => ({
    name: groups.length === 1 ? "model.safetensors" : shardName(index, groups.length),
    tensors: group,
    bytes: group.reduce((sum, tensor) => sum + bytesOf(tensor), 0),
  }));
}

function shardName(index: number, count: number): string {
  const digits = (value: number): string => String(value).padStart(5, "0");
  return `model-${digits(index + 1)}-of-${digits(count)}.safetensors`;
}
