/** Compares a model that was made smaller with the one it was made from. */
import { basename } from "node:path";
import { HearthError } from "../../error.ts";
import { readOnnx } from "../../formats/onnx/read.ts";
import type { Progress } from "../../spec/model.ts";
import { runOnnx } from "../isolate.ts";
import type { OnnxCard } from "./card.ts";
import type { Samples } from "./contract.ts";
import { generateFeeds } from "./generate.ts";
import { inputPorts } from "./ports.ts";
import type { OnnxQuantizeReport } from "./quantize.ts";

export interface OnnxCardOptions {
  /** The model that the other was made from. */
  readonly reference: string;
  readonly report: OnnxQuantizeReport;
  /** A file or folder of inputs; else such are made up. */
  readonly inputs?: string | undefined;
  readonly allowDomains?: readonly string[];
  /** Module of ONNX Runtime as a URL. */
  readonly module: string;
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

const mostSamples = 64;
const madeSamples = 16;

/** Throws `bad_request` for inputs that do not fit, and what the runtime throws. */
export async function createOnnxCard(options: OnnxCardOptions): Promise<OnnxCard> {
  const { reference, report, inputs, module, threads, signal, onProgress, allowDomains = [] } = options;
  const { graph } = readOnnx(reference, { allowDomains });
  readOnnx(report.path, { allowDomains });
  const ports = inputPorts(graph);
  const samples: Samples =
    inputs === undefined
      ? { kind: "made", feeds: generateFeeds(graph, ports, { count: madeSamples }) }
      : { kind: "path", path: inputs, most: mostSamples };
  const comparison = await runOnnx(
    { task: "compare", reference, model: report.path, samples, inputs: ports, module, threads },
    { signal, onProgress },
  );
  if (comparison.outputs.length === 0) {
    throw new HearthError("unsupported_capability", `${basename(reference)} has no outputs that are numbers.`);
  }
  return {
    version: 1,
    format: "onnx",
    createdAt: new Date().toISOString(),
    model: basename(report.path),
    reference: basename(reference),
    type: report.type,
    method: report.method,
    sizeBytes: report.sizeBytes,
    referenceBytes: report.sourceBytes,
    weights: report.weights,
    inputs: inputs === undefined ? "made up" : basename(inputs),
    threads,
    comparison,
  };
}
