/** `hearth quantize` of ONNX models. */
import { basename, dirname, extname, join } from "node:path";
import type { OnnxCard } from "../../compress/onnx/card.ts";
import type { OnnxQuantizeReport } from "../../compress/onnx/quantize.ts";
import type { OnnxQuantType } from "../../compress/onnx/types.ts";
import { HearthError } from "../../error.ts";
import { detectFormat } from "../../formats/detect.ts";
import { style } from "../../terminal/style.ts";
import { formatPairs } from "../../terminal/table.ts";
import { formatBytes, formatCount, formatDuration } from "../../util/format.ts";
import type { Context } from "../command.ts";
import type { FoundModel } from "./model.ts";

export interface OnnxFlags {
  readonly out: string | undefined;
  readonly calibration: string | undefined;
  readonly group: string | undefined;
  readonly inputs: string | undefined;
  readonly asymmetric: boolean;
  readonly "per-tensor": boolean;
  readonly "full-range": boolean;
  readonly "allow-domain": readonly string[];
  readonly card: boolean;
  readonly "allow-requantize": boolean;
}

export interface OnnxCall {
  readonly model: FoundModel;
  readonly type: OnnxQuantType;
  readonly flags: OnnxFlags;
}

/** Throws `usage` for flags that say nothing of the type, and `bad_request` for a model that is none of ONNX. */
export async function quantizeOnnxModel(context: Context, { model, type, flags }: OnnxCall): Promise<void> {
  const { services, settings, signal, status } = context;
  checkFlags(type, flags);
  if ((await detectFormat(model.path)) !== "onnx") {
    throw new HearthError("bad_request", `${model.name} is no ONNX model.`, {
      hint: `--type ${type} is for .onnx files; other models have types such as q8_0 and q4_k_m.`,
    });
  }
  const options = { settings, signal, onProgress: status.update, onNotice: status.note };
  const report = await services.quantizeOnnx({
    ...options,
    source: model.path,
    out: flags.out ?? defaultPath(model, type),
    type,
    perChannel: !flags["per-tensor"],
    fullRange: flags["full-range"],
    symmetric: !flags.asymmetric,
    blockSize: flags.group === undefined ? undefined : Number(flags.group),
    calibration: flags.calibration,
    allowDomains: flags["allow-domain"],
  });
  status.clear();
  if (!context.json) context.io.stdout.write(reportPairs(report, context.io));
  if (!flags.card) {
    if (context.json) context.writeJson(report);
    return;
  }
  const inputs = flags.inputs ?? flags.calibration;
  const card = await services.onnxCard({
    ...options,
    reference: model.path,
    report,
    inputs,
    allowDomains: flags["allow-domain"],
  });
  status.clear();
  await show(context, report, card);
}

function checkFlags(type: OnnxQuantType, flags: OnnxFlags): void {
  const wrong =
    type === "int8"
      ? (["group", "asymmetric"] as const).find((name) => flags[name])
      : (["calibration", "per-tensor", "full-range"] as const).find((name) => flags[name]);
  if (wrong !== undefined) {
    throw new HearthError("usage", `--${wrong} says nothing of --type ${type}.`, {
      hint: `It is for --type ${type === "int8" ? "int4" : "int8"}.`,
    });
  }
  if (flags["allow-requantize"]) {
    throw new HearthError("usage", "--allow-requantize is not for ONNX models.", {
      hint: "Start from the model with float32 weights.",
    });
  }
  if (flags.group === "-1") throw new HearthError("usage", "--group is -1; ONNX has groups of 32, 64 or 128 weights.");
  if (flags.inputs !== undefined && !flags.card) {
    throw new HearthError("usage", "--inputs is for --card, which is not given.", {
      hint: "Add --card, to see how far the outputs for these inputs are from those of the model.",
    });
  }
}

function defaultPath({ name, path }: FoundModel, type: OnnxQuantType): string {
  const isFile = name === path || path.endsWith(name);
  const stem = basename(isFile ? path : name, extname(path)).replace(/[-._](?:fp?16|fp?32)$/i, "");
  return join(isFile ? dirname(path) : ".", `${stem.replaceAll(/[^\w.-]+/g, "-")}-${type}.onnx`);
}

function reportPairs(report: OnnxQuantizeReport, io: Context["io"]): string {
  const weights = Object.entries(report.weights).toSorted((a, b) => b[1] - a[1]);
  return formatPairs(io.stdout, [
    ["file", report.path],
    ["size", `${formatBytes(report.sizeBytes)}; the source has ${formatBytes(report.sourceBytes)}`],
    ["method", `${report.type}, ${report.method}`],
    ["weights", weights.map(([type, count]) => `${type} ${formatCount(count)}`).join(", ")],
    ["calibration", report.calibrationSamples === undefined ? undefined : `${report.calibrationSamples} samples`],
    ["time", formatDuration(report.ms)],
  ]);
}

async function show(context: Context, report: OnnxQuantizeReport, card: OnnxCard): Promise<void> {
  const { io, json, services } = context;
  const paths = await services.writeOnnxCard(report.path, card);
  if (json) return context.writeJson({ ...report, card });
  const { onnxCardLines } = await import("../../compress/onnx/card.ts");
  io.stdout.write(`${formatPairs(io.stdout, onnxCardLines(card))}${style(io.stdout, "dim", paths.join("\n"))}\n`);
}
