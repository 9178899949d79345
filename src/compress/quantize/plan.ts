/** What is written where, known before the first weight is read. */
import { HearthError } from "../../error.ts";
import { encodeHeader } from "../../formats/gguf/encode.ts";
import type { GgufTypedValue } from "../../formats/gguf/encode.ts";
import type { GgmlTypeName } from "../../formats/gguf/ggml.ts";
import { ggmlType } from "../../formats/gguf/ggml.ts";
import { printable } from "../../formats/gguf/malformed.ts";
import type { ImportanceFile } from "../imatrix/contract.ts";
import { importanceOf } from "../imatrix/weights.ts";
import type { WeightSource } from "../source.ts";
import type { Choice, TensorRule } from "./choose.ts";
import { chooseTypes, isQuantized } from "./choose.ts";
import { mixes } from "./mixes.ts";
import type { MixName } from "./mixes.ts";

/** A tensor on its way. Plain data: it goes to the threads. */
export interface TensorJob {
  readonly name: string;
  readonly from: GgmlTypeName;
  readonly to: GgmlTypeName;
  /** Weights of a row; rows of a matrix, and matrices that stand behind each other. */
  readonly k: number;
  readonly rows: number;
  readonly experts: number;
  /** Where its data begins: among the data of the source, and in the file that is written. */
  readonly source: number;
  readonly target: number;
  /** `k` for each expert. */
  readonly importance?: Float32Array | undefined;
}

export interface QuantizePlan {
  readonly header: Uint8Array;
  readonly jobs: readonly TensorJob[];
  readonly choices: readonly Choice[];
  readonly fileBytes: number;
}

export interface PlanOptions {
  readonly mix: MixName;
  readonly rules: readonly TensorRule[];
  readonly importance?: { readonly file: ImportanceFile; readonly name: string } | undefined;
  readonly allowRequantize: boolean;
}

/** Throws `bad_request` for weights that are quantized already, unless that is allowed. */
export function planQuantize({ file, metadata }: WeightSource, options: PlanOptions): QuantizePlan {
  const { mix, rules, importance, allowRequantize } = options;
  const choices = chooseTypes(file, { mix, rules, importance: importance !== undefined });
  const again = choices.find(({ tensor, to }) => to !== tensor.typeName && isQuantized(tensor.typeName));
  if (again && !allowRequantize) throw twice(file.name, again);
  const header = encodeHeader({
    metadata: newMetadata(metadata, options),
    tensors: choices.map(({ tensor: { name, shape }, to }) => ({ name, shape, type: to, data: new Uint8Array() })),
  });
  let target = header.bytes.length;
  const jobs = choices.map(({ tensor, to }, index): TensorJob => {
    const [k = 1, rows = 1, ...outer] = tensor.shape;
    const job = {
      name: tensor.name,
      from: tensor.typeName,
      to,
      k,
      rows,
      experts: outer.reduce((product, size) => product * size, 1),
      source: tensor.offset,
      target,
    };
    const bytes = header.tensorBytes[index] ?? 0;
    target = Math.ceil((target + bytes) / header.alignment) * header.alignment;
    const known = ggmlType(to).blockSize > 1 && importance ? importanceOf(importance.file, job) : undefined;
    return { ...job, importance: known };
  });
  return { header: header.bytes, jobs, choices, fileBytes: target };
}

function twice(name: string, { tensor }: Choice): HearthError {
  return new HearthError(
    "bad_request",
    `${name} is quantized already: ${printable(tensor.name)} is ${tensor.typeName}.`,
    { hint: "Start from F16, BF16 or F32 weights. If there are none: --allow-requantize, which costs quality." },
  );
}

type Metadata = Readonly<Record<string, GgufTypedValue>>;

const uint32 = (value: number): GgufTypedValue => ({ type: "uint32", value });
const string = (value: string): GgufTypedValue => ({ type: "string", value });

/** Keys as llama.cpp writes them. */
function newMetadata(metadata: Metadata, { mix, importance }: PlanOptions): Metadata {
  const kept = Object.entries(metadata).filter(
    ([key]) => !key.startsWith("split.") && !key.startsWith("quantize.imatrix."),
  );
  const dataset = importance?.file.datasets[0];
  return {
    ...Object.fromEntries(kept),
    "general.quantization_version": uint32(2),
    "general.file_type": uint32(mixes[mix].fileType),
    ...(importance && {
      "quantize.imatrix.file": string(importance.name),
      ...(dataset !== undefined && { "quantize.imatrix.dataset": string(dataset) }),
      "quantize.imatrix.entries_count": uint32(importance.file.entries.size),
      "quantize.imatrix.chunks_count": uint32(importance.file.chunks),
    }),
  };
}
