/** Fills the folder of a checkpoint with codes: what the process of a calibration does. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { castRows } from "../../formats/checkpoint/cast.ts";
import type { FloatType } from "../../formats/checkpoint/cast.ts";
import { restoreConfig } from "../../formats/checkpoint/reverse/config.ts";
import { bytesOf, restoreTensors } from "../../formats/checkpoint/reverse/tensors.ts";
import type { GgufRows } from "../../formats/checkpoint/reverse/tensors.ts";
import { constantRows } from "../../formats/checkpoint/rows.ts";
import type { GgufFile } from "../../formats/gguf/types.ts";
import { checkpointFolder } from "../../formats/model.ts";
import { syncFile } from "../../models/durable.ts";
import type { Progress } from "../../spec/model.ts";
import { planShards } from "../convert/shards.ts";
import { smallFiles } from "../convert/small-files.ts";
import { readTensors, vectorOf, writeShard } from "../convert/to-checkpoint.ts";
import { openData, openSource } from "../source.ts";
import type { WeightData, WeightSource } from "../source.ts";
import { awqVisitor } from "./awq.ts";
import type { Method } from "./contract.ts";
import { runForward } from "./forward.ts";
import type { Visitor } from "./forward.ts";
import { gptqVisitor, nearestVisitor } from "./gptq.ts";
import type { MethodContext } from "./gptq.ts";
import { copySmall } from "./copy.ts";
import { packedTensors } from "./pack.ts";
import type { PackedFormat } from "./pack.ts";
import { linearSteps, planCalibration } from "./plan.ts";
import { createPool } from "./pool.ts";
import type { Pool } from "./pool.ts";
import { quantizationConfig } from "./settings.ts";
import { keepIn } from "./sink.ts";
import type { Kept } from "./sink.ts";
import { createTensors } from "./tensors.ts";
import type { Trace } from "./trace.ts";
import type { Grid } from "./work.ts";

export interface FillOptions {
  readonly source: string;
  /** What messages call the model. */
  readonly name: string;
  /** The folder, which is there and empty. */
  readonly folder: string;
  readonly method: Method;
  readonly format: PackedFormat;
  readonly grid: Grid;
  /** As the configuration says it: -1 for whole rows. */
  readonly group: number;
  readonly ordered: boolean;
  readonly allowRequantize: boolean;
  readonly windows: readonly (readonly number[])[];
  /** 0: the caller's. */
  readonly threads: number;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

export interface Filled {
  readonly sizeBytes: number;
  readonly notes: readonly string[];
}

const scratchName = ".rounded";

export async function fillFolder(options: FillOptions): Promise<Filled> {
  const opened = await openSource(options.source);
  const data = await openData(opened.source);
  const scratch = join(options.folder, scratchName);
  const kept = keepIn(scratch, opened.file, options.grid);
  try {
    await roundModel(opened.file, data, { ...options, kept });
    return await writeAll(opened, data, { ...options, kept });
  } finally {
    kept.close();
    data.close();
    await rm(scratch, { force: true });
  }
}

interface Filling extends FillOptions {
  readonly kept: Kept;
}

async function roundModel(file: GgufFile, data: WeightData, options: Filling): Promise<void> {
  const { method, grid, ordered, windows, threads, kept, onProgress } = options;
  const plan = planCalibration(file, options);
  const { trace } = plan;
  const pool = await createPool(threads);
  const tensors = createTensors(file, data, pool.arena);
  let done = 0;
  const sink: MethodContext["sink"] = {
    vector: (vector, values) => kept.vector(vector, values),
    matrix(matrix, coded) {
      kept.matrix(matrix, coded);
      done += matrix.n * matrix.k;
      const part = done / plan.codedWeights;
      const totalBytes = plan.dataBytes;
      onProgress?.({
        phase: "quantize",
        label: options.name,
        completedBytes: Math.round(part * totalBytes),
        totalBytes,
      });
    },
  };
  const context = { grid, tensors, pool, sink };
  try {
    if (method === "nearest") await roundAll(trace, nearestVisitor(context), pool);
    else await runForward({ trace, windows, tensors, pool, visitor: visitorOf(method, context, { trace, ordered }) });
  } finally {
    await pool.end();
  }
}

interface VisitorOptions {
  readonly trace: Trace;
  readonly ordered: boolean;
}

function visitorOf(
  method: Exclude<Method, "nearest">,
  context: MethodContext,
  { trace, ordered }: VisitorOptions,
): Visitor {
  return method === "gptq" ? gptqVisitor(context, ordered) : awqVisitor(context, trace);
}

/** Without the text. */
async function roundAll(trace: Trace, visitor: Visitor, { arena }: Pool): Promise<void> {
  for (const step of linearSteps(trace)) arena.release(await visitor.linear(step, new Float32Array()));
}

const dtypes = { F32: "float32", F16: "float16", BF16: "bfloat16" } as const;

/** What is not codes has 16 bits, as the tools write it. */
function floatType({ tensors }: GgufFile): Exclude<FloatType, "F32"> {
  const bytes = (type: string): number =>
    tensors.reduce((sum, { typeName, sizeBytes }) => sum + (typeName === type ? sizeBytes : 0), 0);
  return bytes("BF16") > bytes("F16") + bytes("F32") ? "BF16" : "F16";
}

async function writeAll(opened: WeightSource, data: WeightData, options: Filling): Promise<Filled> {
  const { folder, kept, source, format, grid } = options;
  const { file } = opened;
  const type = floatType(file);
  const found = readTensors(opened, data, type);
  const restored = restoreConfig(file, {
    has: (name) => found.has(name),
    factors: (name) => vectorOf(found.get(name)),
    dtype: dtypes[type],
  });
  const { tensors } = restoreTensors(replaceIn(found, kept, type), restored);
  const packed = tensors.flatMap((tensor) =>
    tensor.rows.type === "I8" ? packedTensors(tensor, { bits: grid.bits, format }) : [tensor],
  );
  const shards = planShards(packed);
  const settings = quantizationConfig({ ...options, ...grid, group: options.group });
  const { files, notes } = smallFiles(
    file,
    { ...restored, config: { ...restored.config, quantization_config: settings } },
    shards,
  );
  const own = checkpointFolder(source);
  const copied = own === undefined ? undefined : copySmall(own, { settings, dtype: dtypes[type], files });
  await addTexts(folder, copied ?? files);
  for (const shard of shards) await writeShard(join(folder, shard.name), shard, () => undefined);
  return { sizeBytes: packed.reduce((sum, tensor) => sum + bytesOf(tensor), 0), notes: copied ? [] : notes };
}

function replaceIn(found: ReadonlyMap<string, GgufRows>, { matrices, vectors }: Kept, type: FloatType) {
  return new Map(
    [...found].map(([name, tensor]): [string, GgufRows] => {
      const rows = matrices.get(name);
      if (rows) return [name, { rows, shape: [rows.k, rows.n] }];
      const values = vectors.get(name);
      return [name, values ? { ...tensor, rows: castRows(constantRows(values), type, name) } : tensor];
    }),
  );
}

async function addTexts(folder: string, files: ReadonlyMap<string, string | Uint8Array>): Promise<void> {
  for (const [name, content] of files) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    await syncFile(path);
  }
}
