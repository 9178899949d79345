/** `hearth quantize` to GPTQ and AWQ. */
import type { CalibrateReport } from "../../compress/calibrate/contract.ts";
import { readText } from "../../compress/evaluate/text.ts";
import { HearthError } from "../../error.ts";
import { formatPairs } from "../../terminal/table.ts";
import { formatBytes, formatCount, formatDuration } from "../../util/format.ts";
import type { Context } from "../command.ts";
import type { FoundModel } from "./model.ts";

export const checkpointTypes = ["gptq", "awq"] as const;
export type CheckpointType = (typeof checkpointTypes)[number];

export interface CalibrateFlags {
  readonly bits: "4" | "8" | undefined;
  readonly group: "32" | "64" | "128" | "-1" | undefined;
  readonly calibration: string | undefined;
  readonly order: boolean;
  readonly "allow-requantize": boolean;
}

export interface CalibrateCall {
  readonly model: FoundModel;
  readonly type: CheckpointType;
  readonly out: string;
  readonly flags: CalibrateFlags;
}

/** Throws `usage` for flags that mean nothing together. */
export async function calibrate(
  context: Context,
  { model, type, out, flags }: CalibrateCall,
): Promise<CalibrateReport> {
  const { services, settings, signal, status } = context;
  if (flags.calibration === undefined) {
    throw new HearthError("usage", `--type ${type} needs a text: --calibration is missing.`, {
      hint: "Name a text of the kind that the model is for, of some 30,000 tokens: --calibration FILE.",
    });
  }
  if (type === "awq" && (flags.bits === "8" || flags.order)) {
    const flag = flags.order ? "--order" : "--bits 8";
    throw new HearthError("usage", `AWQ has no ${flag}.`, { hint: "Say --type gptq, or leave it out." });
  }
  const report = await services.calibrate({
    source: model.path,
    name: model.name,
    out,
    method: type,
    bits: Number(flags.bits ?? 4),
    group: Number(flags.group ?? 128),
    ordered: flags.order,
    text: await readText(flags.calibration),
    allowRequantize: flags["allow-requantize"],
    settings,
    signal,
    onProgress: status.update,
  });
  status.clear();
  for (const note of report.notes) status.note(note);
  return report;
}

export function calibratePairs(report: CalibrateReport, io: Context["io"]): string {
  const { group, codedWeights, weights } = report;
  return formatPairs(io.stdout, [
    ["folder", report.path],
    ["size", `${formatBytes(report.sizeBytes)}; the source has ${formatBytes(report.sourceBytes)}`],
    ["bits per weight", report.bitsPerWeight.toFixed(2)],
    [
      "codes",
      `${formatCount(codedWeights)} of ${formatCount(weights)} weights, ${report.bits} bits, ${group < 0 ? "one group a row" : `groups of ${group}`}`,
    ],
    ["calibration", `${report.tokens} tokens`],
    ["time", formatDuration(report.ms)],
  ]);
}
