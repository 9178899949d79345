/** Makes a GPTQ or AWQ checkpoint of a model, with a text that shows what its weights are used for. */
import type { Progress } from "../../spec/model.ts";
import { writeFolder } from "../convert/folder.ts";
import type { Text } from "../evaluate/text.ts";
import { fillIsolated } from "../isolate.ts";
import type { OutputFile } from "../output.ts";
import { checkAbsent } from "../output.ts";
import { openSource } from "../source.ts";
import type { CalibrateReport, Method } from "./contract.ts";
import type { Filled, FillOptions } from "./fill.ts";
import { calibrationWindows, planCalibration } from "./plan.ts";
import type { PackedFormat } from "./pack.ts";
import { wholeRow } from "./grid.ts";
import type { Grid } from "./work.ts";

export interface CalibrateOptions {
  /** A GGUF file, the first of several, or a checkpoint's folder. */
  readonly source: string;
  /** What messages call it. */
  readonly name: string;
  /** The folder that is made. */
  readonly out: string;
  readonly method: Method;
  /** Of `nearest`, which both formats can say. Default: that of the method's name. */
  readonly format?: PackedFormat | undefined;
  /** 4, and for GPTQ 8. */
  readonly bits?: number | undefined;
  /** Columns that share a scale; -1: all of a row. Default 128. */
  readonly group?: number | undefined;
  /** GPTQ's act-order. */
  readonly ordered?: boolean | undefined;
  readonly text: Text;
  readonly allowRequantize?: boolean | undefined;
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly freeBytes?: OutputFile["freeBytes"];
  /** Default: in a process of its own. */
  readonly fill?: (options: FillOptions, signal: AbortSignal | undefined) => Promise<Filled>;
}

/**
 * Throws, before the work begins: `bad_request` for a text that is too short, weights that are quantized already and groups
 * that do not fit, `model_unsupported` for models that the formats have no place for, `conflict` where the output exists,
 * and `disk_full`. Aborted or killed, it leaves nothing under the output's name.
 */
export async function calibrateModel(options: CalibrateOptions): Promise<CalibrateReport> {
  const started = performance.now();
  const { source, name, out, method, bits = 4, group = 128, ordered = false, text, allowRequantize = false } = options;
  const { threads, signal, onProgress, freeBytes, fill = fillIsolated } = options;
  const format = options.format ?? (method === "awq" ? "awq" : "gptq");
  const grid: Grid = { bits, group: group < 0 ? wholeRow : group, symmetric: format === "gptq" };
  checkAbsent(out);
  const { file } = await openSource(source);
  const plan = planCalibration(file, { name, method, grid, allowRequantize });
  const { windows, tokens } = calibrationWindows(file, text);
  let filled: Filled | undefined;
  const sizeBytes = plan.dataBytes + plan.scratchBytes;
  await writeFolder({ path: out, sizeBytes, freeBytes }, async (folder) => {
    const job = { source, name, folder: folder.path, method, format, grid, group, ordered, allowRequantize };
    filled = await fill({ ...job, windows, threads, onProgress }, signal);
  });
  const { sizeBytes: written = 0, notes = [] } = filled ?? {};
  return {
    path: out,
    method,
    bits,
    group,
    tokens: method === "nearest" ? 0 : tokens,
    sizeBytes: written,
    sourceBytes: plan.sourceBytes,
    weights: plan.weights,
    codedWeights: plan.codedWeights,
    bitsPerWeight: (written * 8) / plan.weights,
    notes,
    ms: performance.now() - started,
  };
}
