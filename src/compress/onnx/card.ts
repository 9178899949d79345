/** The quality card of an ONNX model that was made smaller: how large it is, how far its outputs are off, how fast it is. */
import { dirname } from "node:path";
import { writeDurable } from "../../models/durable.ts";
import { formatBytes, formatCount } from "../../util/format.ts";
import { figure } from "../card/lines.ts";
import type { Line } from "../card/lines.ts";
import { bars, page } from "../card/page.ts";
import { cardPath, pagePath } from "../card/path.ts";
import type { OnnxComparison, OutputDifference } from "./contract.ts";
import type { OnnxQuantizeReport } from "./quantize.ts";

export interface OnnxCard {
  readonly version: 1;
  readonly format: "onnx";
  /** ISO 8601. */
  readonly createdAt: string;
  readonly model: string;
  readonly reference: string;
  readonly type: OnnxQuantizeReport["type"];
  readonly method: OnnxQuantizeReport["method"];
  readonly sizeBytes: number;
  readonly referenceBytes: number;
  readonly weights: OnnxQuantizeReport["weights"];
  /** A file, or `made up`. */
  readonly inputs: string;
  readonly threads: number;
  readonly comparison: OnnxComparison;
}

/** All that a card says. */
export function onnxCardTable(card: OnnxCard): readonly Line[] {
  const { sizeBytes, referenceBytes, weights } = card;
  const types = Object.entries(weights).map(([type, count]) => `${type} ${formatCount(count)}`);
  const size: Line = ["size", `${formatBytes(sizeBytes)}; the reference has ${formatBytes(referenceBytes)}`];
  return [size, ["weights", types.join(", ")], ...onnxCardLines(card)];
}

export function onnxCardLines({ reference, inputs, threads, comparison }: OnnxCard): readonly Line[] {
  const { samples, outputs, referenceMs, modelMs } = comparison;
  return [
    ["reference", reference],
    ["inputs", `${inputs}, ${samples} samples`],
    ...outputs.flatMap(outputLines),
    ["time", `${figure(modelMs)} ms; the reference takes ${figure(referenceMs)} ms; ${threads} threads`],
  ];
}

function outputLines({ name, cosine, maxError, relativeError, agreement }: OutputDifference): readonly Line[] {
  const same = agreement === undefined ? "" : `; same largest number ${(agreement * 100).toFixed(2)} %`;
  return [
    [name, `cosine ${cosine.mean.toFixed(5)}, least ${cosine.least.toFixed(5)}`],
    ["", `largest error ${figure(maxError)}, mean ${(relativeError * 100).toFixed(2)} %${same}`],
  ];
}

/** Writes a card and its page beside the model, in place of older ones; gives both paths. */
export async function writeOnnxCard(path: string, card: OnnxCard): Promise<readonly [card: string, page: string]> {
  const paths = [cardPath(path), pagePath(path)] as const;
  await writeDurable(paths[0], `${JSON.stringify(card, undefined, 2)}\n`, dirname(path));
  await writeDurable(paths[1], onnxCardPage(card), dirname(path));
  return paths;
}

function onnxCardPage(card: OnnxCard): string {
  const { model, sizeBytes, referenceBytes, comparison, createdAt } = card;
  const plots = [
    bars("Size of the file, MiB.", { reference: referenceBytes / 1024 ** 2, model: sizeBytes / 1024 ** 2 }),
    bars("Time of a run, ms.", { reference: comparison.referenceMs, model: comparison.modelMs }),
  ];
  return page({ title: model, lines: onnxCardTable(card), plots, createdAt });
}
