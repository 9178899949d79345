import { open } from "node:fs/promises";
import { join } from "node:path";
import { toFloat32 } from "../../engines/flint/weights/codecs/float.ts";
import { castRows, isFloat, readFloats } from "../../formats/checkpoint/cast.ts";
import type { FloatType } from "../../formats/checkpoint/cast.ts";
import { restoreConfig } from "../../formats/checkpoint/reverse/config.ts";
import { restoreTensors } from "../../formats/checkpoint/reverse/tensors.ts";
import type { CheckpointTensor, GgufRows } from "../../formats/checkpoint/reverse/tensors.ts";
import { rowBytes } from "../../formats/checkpoint/rows.ts";
import type { MatrixRows } from "../../formats/checkpoint/scheme.ts";
import { encodeSafetensorsHeader } from "../../formats/safetensors/encode.ts";
import type { GgufTensor } from "../../formats/gguf/types.ts";
import { describeGguf } from "../../models/describe.ts";
import { openData, openSource } from "../source.ts";
import type { WeightData, WeightSource } from "../source.ts";
import type { ConvertOptions, ConvertReport } from "./convert.ts";
import { writeFolder } from "./folder.ts";
import { floatTypes } from "./to-gguf.ts";
import type { WriteOptions } from "./to-gguf.ts";
import { planShards } from "./shards.ts";
import type { Shard } from "./shards.ts";
import { smallFiles } from "./small-files.ts";

type OpenData = Pick<WeightData, "read">;

const dtypes = { F32: "float32", F16: "float16", BF16: "bfloat16" } as const;

/** Writes the folder of which a GGUF file could have been made. */
export async function writeCheckpoint(options: ConvertOptions): Promise<ConvertReport> {
  const opened = await openSource(options.source);
  const data = await openData(opened.source);
  try {
    return await writePlain(opened, data, options);
  } finally {
    data.close();
  }
}

/** Writes the folder of what is open already. */
export async function writePlain(
  opened: WeightSource,
  data: OpenData,
  options: WriteOptions & Pick<ConvertOptions, "type">,
): Promise<ConvertReport> {
  const { out, type = "keep", freeBytes, phase = "convert" } = options;
  const { file } = opened;
  const { architecture } = describeGguf(file);
  const found = readTensors(opened, data, floatTypes[type]);
  const restored = restoreConfig(file, {
    has: (name) => found.has(name),
    factors: (name) => vectorOf(found.get(name)),
    dtype: dtypes[commonType(found)],
  });
  const { tensors } = restoreTensors(found, restored);
  const shards = planShards(tensors);
  const { files, notes } = smallFiles(file, restored, shards);
  const sizeBytes = shards.reduce((sum, shard) => sum + shard.bytes, 0);
  await writeFolder({ path: out, sizeBytes, freeBytes }, async (folder) => {
    await folder.addTexts(files);
    let done = 0;
    for (const shard of shards) {
      await writeShard(join(folder.path, shard.name), shard, (bytes) => {
        options.signal?.throwIfAborted();
        done += bytes;
        options.onProgress?.({ phase, label: out, completedBytes: done, totalBytes: sizeBytes });
      });
    }
  });
  return {
    path: out,
    format: "safetensors",
    architecture,
    tensors: tensors.length,
    sizeBytes,
    notes: [...quantizedNotes(opened), ...notes],
  };
}

/** Tensors as rows of floats. */
export function readTensors(
  { file }: WeightSource,
  data: OpenData,
  type: FloatType | undefined,
): Map<string, GgufRows> {
  return new Map(
    file.tensors.map((tensor) => [tensor.name, { shape: tensor.shape, rows: floatRows(tensor, data, type) }]),
  );
}

function floatRows(tensor: GgufTensor, data: OpenData, type: FloatType | undefined): MatrixRows {
  const { name, shape, typeName, offset } = tensor;
  const k = shape.length === 1 ? 1 : (shape[0] ?? 1);
  const n = shape.reduce((product, dimension) => product * dimension, 1) / k;
  const bytes = rowBytes({ type: typeName, k });
  const readRows: MatrixRows["readRows"] = (first, _, target) => data.read(offset + first * bytes, target);
  const rows = { type: typeName, n, k, readRows };
  return castRows(isFloat(typeName) ? rows : decoded(rows), type ?? (isFloat(typeName) ? typeName : "F16"), name);
}

/** Float32 weights of a quantized matrix. */
function decoded(rows: MatrixRows): MatrixRows {
  const { n, k, type } = rows;
  const bytes = rowBytes(rows);
  const readRows: MatrixRows["readRows"] = (first, count, target) => {
    const source = new Uint8Array(count * bytes);
    rows.readRows(first, count, source);
    const weights = new Float32Array(count * k);
    toFloat32(type, source, weights);
    target.set(new Uint8Array(weights.buffer));
  };
  return { type: "F32", n, k, readRows };
}

export function vectorOf(tensor: GgufRows | undefined): Float32Array | undefined {
  if (!tensor) return undefined;
  const { rows } = tensor;
  return readFloats(rows, 0, rows.n);
}

function commonType(found: ReadonlyMap<string, GgufRows>): FloatType {
  const bytes = new Map<FloatType, number>();
  for (const { rows } of found.values()) {
    if (isFloat(rows.type)) bytes.set(rows.type, (bytes.get(rows.type) ?? 0) + rows.n * rowBytes(rows));
  }
  return [...bytes].toSorted((a, b) => b[1] - a[1])[0]?.[0] ?? "F32";
}

const pieceBytes = 4 * 1024 ** 2;

/** `tensors` are of floats, or words of integers. */
export async function writeShard(path: string, { tensors }: Shard, onBytes: (bytes: number) => void): Promise<void> {
  const handle = await open(path, "wx");
  try {
    await handle.writeFile(encodeSafetensorsHeader(tensors.map((tensor) => ({ ...tensor, dtype: dtypeOf(tensor) }))));
    for (const { rows } of tensors) {
      const bytes = rowBytes(rows);
      const step = Math.max(1, Math.floor(pieceBytes / bytes));
      for (let row = 0; row < rows.n; row += step) {
        const count = Math.min(step, rows.n - row);
        const piece = new Uint8Array(count * bytes);
        rows.readRows(row, count, piece);
        await handle.writeFile(piece);
        onBytes(piece.length);
      }
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function dtypeOf({ rows: { type } }: CheckpointTensor): FloatType | "I32" {
  return isFloat(type) || type === "I32" ? type : "F32";
}

function quantizedNotes({ file }: WeightSource): readonly string[] {
  const types = [...new Set(file.tensors.map(({ typeName }) => typeName).filter((type) => !isFloat(type)))];
  if (types.length === 0) return [];
  return [`Weights of ${types.join(", ")} were written as floating-point numbers; what they had lost stays lost.`];
}
