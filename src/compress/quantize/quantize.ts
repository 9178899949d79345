/** Makes a smaller model file. */
import { open, truncate } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { quantizedTypes } from "../../engines/flint/weights/quantize/recipe.ts";
import type { GgmlTypeName } from "../../formats/gguf/ggml.ts";
import { ggmlType, tensorBytes } from "../../formats/gguf/ggml.ts";
import type { Progress } from "../../spec/model.ts";
import { readImportance } from "../imatrix/read.ts";
import { writeOutput } from "../output.ts";
import type { OutputFile } from "../output.ts";
import { openSource } from "../source.ts";
import type { Choice, TensorRule } from "./choose.ts";
import type { MixName } from "./mixes.ts";
import { planQuantize } from "./plan.ts";
import type { TensorJob } from "./plan.ts";
import { startQuantizeThreads } from "./threads.ts";
import type { QuantizeThreads } from "./threads.ts";

export interface QuantizeOptions {
  /** A GGUF file, the first of several, or a checkpoint's folder. */
  readonly source: string;
  readonly out: string;
  readonly mix: MixName;
  /** Types of single tensors; the first that fits counts. */
  readonly rules?: readonly TensorRule[];
  /** Path of an importance matrix. */
  readonly importance?: string | undefined;
  readonly allowRequantize?: boolean;
  /** Default: all that the system gives. 0: the caller's, which then hears of no signal. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly freeBytes?: OutputFile["freeBytes"];
}

export interface QuantizeReport {
  readonly path: string;
  readonly mix: MixName;
  readonly sizeBytes: number;
  readonly weights: number;
  readonly bitsPerWeight: number;
  /** The same of the source's tensors. */
  readonly sourceBytes: number;
  readonly sourceBitsPerWeight: number;
  /** Weights of each type. */
  readonly types: Readonly<Partial<Record<GgmlTypeName, number>>>;
  /** Tensors whose rows are not whole blocks of the type that was wanted for them. */
  readonly fallbacks: number;
  readonly ms: number;
}

/**
 * Throws `bad_request` for a source that is quantized already and for rules that fit no tensor, `disk_full` before the work
 * begins, and `conflict` where the output exists. Aborted or killed, it leaves nothing under the output's name.
 */
export async function quantizeModel(options: QuantizeOptions): Promise<QuantizeReport> {
  const threads = startQuantizeThreads(options.threads ?? availableParallelism());
  try {
    return await quantizeWith(threads, options);
  } finally {
    await threads.end();
  }
}

async function quantizeWith(threads: QuantizeThreads, options: QuantizeOptions): Promise<QuantizeReport> {
  const started = performance.now();
  const { out, mix, rules = [], importance, allowRequantize = false, signal, freeBytes } = options;
  const opened = await openSource(options.source);
  const plan = planQuantize(opened, {
    mix,
    rules,
    allowRequantize,
    importance: importance === undefined ? undefined : { file: await readImportance(importance), name: importance },
  });
  const weights = weightsOf(plan.choices);
  const module = await compileKernels(plan.jobs);
  await writeOutput({ path: out, sizeBytes: plan.fileBytes, freeBytes }, async (temporary) => {
    await writeHeader(temporary, plan.header);
    await truncate(temporary, plan.fileBytes);
    await threads.run({
      module,
      jobs: plan.jobs,
      source: opened.source,
      out: temporary,
      signal,
      onProgress: (done) =>
        options.onProgress?.({
          phase: "quantize",
          label: out,
          completedBytes: Math.round((done / weights) * plan.fileBytes),
          totalBytes: plan.fileBytes,
        }),
    });
  });
  return report({ path: out, mix, choices: plan.choices, sizeBytes: plan.fileBytes, ms: performance.now() - started });
}

/** While the threads come up. */
async function compileKernels(jobs: readonly TensorJob[]): Promise<WebAssembly.Module> {
  const { quantizeModule } = await import("../../engines/flint/weights/quantize/kernels.ts");
  const changed = jobs.filter(({ from, to }) => from !== to);
  const bytes = quantizeModule({
    from: [...new Set(changed.map(({ from }) => from))],
    to: quantizedTypes.filter((type) => changed.some(({ to }) => to === type)),
    weighted: changed.some(({ importance }) => importance),
    unweighted: changed.some(({ importance }) => !importance),
  });
  return await WebAssembly.compile(bytes);
}

async function writeHeader(path: string, header: Uint8Array): Promise<void> {
  const handle = await open(path, "wx");
  try {
    await handle.writeFile(header);
  } finally {
    await handle.close();
  }
}

interface Done {
  readonly path: string;
  readonly mix: MixName;
  readonly choices: readonly Choice[];
  readonly sizeBytes: number;
  readonly ms: number;
}

function report({ path, mix, choices, sizeBytes, ms }: Done): QuantizeReport {
  const types: Partial<Record<GgmlTypeName, number>> = {};
  let dataBytes = 0;
  let sourceBytes = 0;
  for (const { tensor, to } of choices) {
    types[to] = (types[to] ?? 0) + count(tensor.shape);
    dataBytes += tensorBytes(ggmlType(to), tensor.shape);
    sourceBytes += tensor.sizeBytes;
  }
  const weights = weightsOf(choices);
  return {
    path,
    mix,
    sizeBytes,
    weights,
    bitsPerWeight: (dataBytes * 8) / weights,
    sourceBytes,
    sourceBitsPerWeight: (sourceBytes * 8) / weights,
    types,
    fallbacks: choices.filter(({ instead }) => instead !== undefined).length,
    ms,
  };
}

function weightsOf(choices: readonly Choice[]): number {
  return choices.reduce((sum, { tensor }) => sum + count(tensor.shape), 0);
}

function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
