/** Makes an ONNX model smaller. */
import { open } from "node:fs/promises";
import { HearthError } from "../../error.ts";
import { encodeOnnx, writePieces } from "../../formats/onnx/encode.ts";
import type { EncodedOnnx } from "../../formats/onnx/encode.ts";
import { limits } from "../../formats/onnx/limits.ts";
import { openOnnx, readOnnx } from "../../formats/onnx/read.ts";
import type { OpenOnnx } from "../../formats/onnx/read.ts";
import type { OnnxModel } from "../../formats/onnx/types.ts";
import type { Progress } from "../../spec/model.ts";
import { formatBytes } from "../../util/format.ts";
import { writeOutput } from "../output.ts";
import type { OutputFile } from "../output.ts";
import { calibrate } from "./calibrate.ts";
import { largestCode } from "./codes.ts";
import { dynamicRule } from "./dynamic.ts";
import { gatherRows } from "./gather.ts";
import { isOnnx } from "./node.ts";
import { checkSource, modelSize } from "./source.ts";
import { rewriteModel } from "./rewrite.ts";
import type { OnnxQuantType } from "./types.ts";
import { planStatic } from "./static-plan.ts";
import { quantizeStatic } from "./static.ts";
import { upgradeModel } from "./upgrade.ts";
import { weightOnlyRule } from "./weight-only.ts";
import { Weights } from "./weights.ts";

export interface OnnxQuantizeOptions {
  readonly source: string;
  readonly out: string;
  readonly type: OnnxQuantType;
  /** INT8: one scale for each channel; default yes. */
  readonly perChannel?: boolean;
  /** INT8: all codes that 8 bits hold, which x86 processors without VNNI multiply wrongly; default no. */
  readonly fullRange?: boolean;
  /** INT4: weights that share a scale; default 32. */
  readonly blockSize?: number | undefined;
  /** INT4: whether code 8 stands for 0 in all blocks; default yes. */
  readonly symmetric?: boolean;
  /** INT8: inputs from which the ranges of activations are found, which then have fixed scales. */
  readonly calibration?: string | undefined;
  /** Most samples of the calibration that are run. */
  readonly samples?: number | undefined;
  readonly allowDomains?: readonly string[];
  /** Module of ONNX Runtime as a URL; needed for calibration. */
  readonly module?: string | undefined;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly freeBytes?: OutputFile["freeBytes"];
}

export interface OnnxQuantizeReport {
  readonly path: string;
  readonly type: OnnxQuantType;
  readonly method: "dynamic" | "static" | "weight-only";
  readonly sizeBytes: number;
  /** With the files beside it. */
  readonly sourceBytes: number;
  /** Weights of each type, those that stayed floats among them. */
  readonly weights: Readonly<Record<string, number>>;
  /** Samples that the ranges are from. */
  readonly calibrationSamples?: number;
  readonly ms: number;
}

/**
 * Throws `bad_request` for a model that has codes already, or no weights that could be, `model_unsupported` for one that
 * would not fit into one file, `disk_full` before anything is written, and `conflict` where the output exists.
 */
export async function quantizeOnnx(options: OnnxQuantizeOptions): Promise<OnnxQuantizeReport> {
  const started = performance.now();
  const { source, out, type, allowDomains = [], freeBytes } = options;
  const opened = openOnnx(source, { allowDomains });
  try {
    checkSource(opened.model, source);
    const weights = new Weights(opened.read);
    const { model, method, samples } = await change(opened, weights, options);
    if (Object.keys(weights.counts).length === 0) throw nothingToDo(source);
    const encoded = encodeOnnx(model, opened.read);
    checkSize(encoded, out);
    await writeOutput({ path: out, sizeBytes: encoded.sizeBytes, freeBytes }, async (temporary) => {
      await writeModel(temporary, encoded, options);
      // What we wrote must be what we would read.
      readOnnx(temporary, { name: out, allowDomains });
    });
    return {
      path: out,
      type,
      method,
      sizeBytes: encoded.sizeBytes,
      sourceBytes: modelSize(opened),
      weights: { ...weights.counts, ...floatWeights(model) },
      ...(samples !== undefined && { calibrationSamples: samples }),
      ms: performance.now() - started,
    };
  } finally {
    opened.close();
  }
}

interface Changed {
  readonly model: OnnxModel;
  readonly method: OnnxQuantizeReport["method"];
  readonly samples?: number;
}

async function change(opened: OpenOnnx, weights: Weights, options: OnnxQuantizeOptions): Promise<Changed> {
  const { type, perChannel = true, blockSize = 32, symmetric = true, calibration } = options;
  const { model } = opened;
  if (type === "int4") {
    if (calibration !== undefined) {
      throw new HearthError("bad_request", "Calibration is for --type int8: with int4 activations stay floats.", {
        hint: "Leave --calibration out, or take --type int8.",
      });
    }
    const small = rewriteModel(model, weightOnlyRule(weights, { blockSize, symmetric }));
    return { model: withRuntimeOpset(small), method: "weight-only" };
  }
  if (calibration !== undefined) return await changeStatic(opened, weights, { ...options, calibration });
  const upgraded = upgradeModel(model, 11);
  const opset = upgraded.opsets.get("") ?? 0;
  return {
    model: rewriteModel(upgraded, dynamicRule(weights, { perChannel, largest: largestOf(options), opset })),
    method: "dynamic",
  };
}

async function changeStatic(
  opened: OpenOnnx,
  weights: Weights,
  options: OnnxQuantizeOptions & { readonly calibration: string },
): Promise<Changed> {
  const { perChannel = true } = options;
  // Scales for channels came with version 13 of the operators. Large constants become initializers.
  const model = rewriteModel(upgradeModel(opened.model, 13), (found, place) =>
    isOnnx(found, "Gather") ? gatherRows(found, place, { weights, perChannel }) : undefined,
  );
  const plan = planStatic(model.graph, (name) => model.graph.initializers.get(name));
  if (plan.nodes.size === 0) throw nothingToDo(options.source);
  const { ranges, samples } = await calibrate({ model, plan, read: opened.read }, options);
  const small = quantizeStatic(model, {
    plan,
    ranges,
    weights,
    perChannel,
    largest: largestOf(options),
    read: opened.read,
  });
  return { model: small, method: "static", samples };
}

function largestOf({ fullRange = false }: OnnxQuantizeOptions): number {
  return fullRange ? largestCode.all : largestCode.product;
}

function withRuntimeOpset(model: OnnxModel): OnnxModel {
  return { ...model, opsets: new Map([["com.microsoft", 1], ...model.opsets]) };
}

async function writeModel(
  path: string,
  { pieces, sizeBytes }: EncodedOnnx,
  { signal, onProgress, out }: Pick<OnnxQuantizeOptions, "signal" | "onProgress" | "out">,
): Promise<void> {
  const handle = await open(path, "wx");
  try {
    let completedBytes = 0;
    await writePieces(pieces, async (bytes) => {
      signal?.throwIfAborted();
      await handle.writeFile(bytes);
      completedBytes += bytes.length;
      onProgress?.({ phase: "quantize", label: out, completedBytes, totalBytes: sizeBytes });
    });
  } finally {
    await handle.close();
  }
}

function checkSize({ sizeBytes }: EncodedOnnx, out: string): void {
  if (sizeBytes <= limits.fileBytes) return;
  throw new HearthError("model_unsupported", `${out} would have ${formatBytes(sizeBytes)}.`, {
    hint: `An ONNX file has at most ${formatBytes(limits.fileBytes)}. Take --type int4.`,
  });
}

/** Weights of floating types that are left, biases among them. */
function floatWeights({ graph }: OnnxModel): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { type, shape } of graph.initializers.values()) {
    if (!type.startsWith("float") && type !== "bfloat16") continue;
    counts[type] = (counts[type] ?? 0) + shape.reduce((product, size) => product * size, 1);
  }
  return counts;
}

function nothingToDo(source: string): HearthError {
  return new HearthError("bad_request", `${source} has no weights that could be made smaller.`, {
    hint: "Matrices of MatMul and Gemm, kernels of Conv and tables of Gather with float32 weights can be.",
  });
}
