/** The student with what it learned, as a GGUF file that nobody has written yet. */
import { castRows, isFloat } from "../../formats/checkpoint/cast.ts";
import { rowBytes, constantRows } from "../../formats/checkpoint/rows.ts";
import type { MatrixRows } from "../../formats/checkpoint/scheme.ts";
import type { NamedTensor } from "../../formats/checkpoint/tensors.ts";
import { alignment, layOut } from "../../formats/checkpoint/virtual.ts";
import type { ReadData } from "../../formats/checkpoint/virtual.ts";
import { toFloat32 } from "../../engines/flint/weights/codecs/float.ts";
import type { GgufFile, GgufTensor } from "../../formats/gguf/types.ts";
import type { TypedMetadata } from "../../formats/checkpoint/metadata.ts";
import { tensorRows } from "../prune/rows.ts";
import type { WeightData, WeightSource } from "../source.ts";
import type { Adapter } from "../train/parameters.ts";
import type { Learned } from "./contract.ts";

export interface Merged {
  readonly file: GgufFile;
  readonly metadata: TypedMetadata;
  readonly read: ReadData;
}

/** Matrices that were quantized become F16. Reads nothing. */
export function mergeLearned(
  { file, metadata }: WeightSource,
  data: WeightData,
  learned: Pick<Learned, "parameters" | "values">,
): Merged {
  const { list } = learned.parameters;
  const adapters = Map.groupBy(
    list.filter((item) => item.kind === "adapter"),
    ({ linear }) => linear.matrix.name,
  );
  const norms = new Map(list.flatMap((item) => (item.kind === "norm" ? [[item.norm.weight.name, item] as const] : [])));
  const tensors = file.tensors.map((tensor): NamedTensor => {
    const { name, shape } = tensor;
    const norm = norms.get(name);
    if (norm) {
      return { name, shape, rows: constantRows(learned.values.slice(norm.weight, norm.weight + (shape[0] ?? 0))) };
    }
    const rows = tensorRows(tensor, data);
    const beside = adapters.get(name);
    return { name, shape, rows: beside ? mergedRows(tensor, rows, { ...learned, adapters: beside }) : rows };
  });
  const { tensors: laid, dataBytes, read } = layOut(tensors);
  return {
    file: { ...file, version: 3, tensors: laid, dataOffset: 0, fileBytes: dataBytes, alignment },
    metadata: withoutSplit(metadata),
    read,
  };
}

function withoutSplit(metadata: TypedMetadata): TypedMetadata {
  return Object.fromEntries(
    Object.entries(metadata).filter(([key]) => !key.startsWith("split.") && key !== "general.alignment"),
  );
}

interface Merging extends Pick<Learned, "parameters" | "values"> {
  readonly adapters: readonly Adapter[];
}

function mergedRows({ name, typeName }: GgufTensor, rows: MatrixRows, merging: Merging): MatrixRows {
  const { k, n } = rows;
  const readRows: MatrixRows["readRows"] = (first, count, target) => {
    const source = new Uint8Array(count * rowBytes(rows));
    rows.readRows(first, count, source);
    const weights = new Float32Array(count * k);
    toFloat32(typeName, source, weights);
    for (const adapter of merging.adapters) addAdapter(weights, { ...merging, adapter, first, count });
    target.set(new Uint8Array(weights.buffer));
  };
  return castRows({ type: "F32", n, k, readRows }, isFloat(typeName) ? typeName : "F16", name);
}

interface Adding extends Merging {
  readonly adapter: Adapter;
  readonly first: number;
  readonly count: number;
}

/** weights[row] += factor · Σ_r up[r][row] · down[r], for the rows that the adapter's matrix has in its tensor. */
function addAdapter(weights: Float32Array, { parameters, values, adapter, first, count }: Adding): void {
  const { rank, factor } = parameters;
  const { row: begin = 0, n, k } = adapter.linear.matrix;
  for (let row = Math.max(first, begin); row < Math.min(first + count, begin + n); row++) {
    const target = (row - first) * k;
    for (let r = 0; r < rank; r++) {
      const up = values[adapter.up + r * n + row - begin]! * factor;
      const down = adapter.down + r * k;
      for (let i = 0; i < k; i++) weights[target + i] = weights[target + i]! + up * values[down + i]!;
    }
  }
}
