import { basename, dirname, join } from "node:path";
import type { CalibrateReport } from "../compress/calibrate/contract.ts";
import { onnxTypes } from "../compress/onnx/types.ts";
import type { OnnxQuantType } from "../compress/onnx/types.ts";
import { mixNames } from "../compress/quantize/mixes.ts";
import type { MixName } from "../compress/quantize/mixes.ts";
import type { QuantizeReport } from "../compress/quantize/quantize.ts";
import { parseOneOf } from "../config/values.ts";
import { HearthError } from "../error.ts";
import { formatPairs } from "../terminal/table.ts";
import { formatBytes, formatCount, formatDuration } from "../util/format.ts";
import { calibrate, calibratePairs, checkpointTypes } from "./compress/calibrate.ts";
import type { CheckpointType } from "./compress/calibrate.ts";
import { makeCard } from "./compress/card.ts";
import { findModel } from "./compress/model.ts";
import type { FoundModel } from "./compress/model.ts";
import { parseTensorRule } from "./compress/rule.ts";
import { defineCommand, type Command, type Context } from "./command.ts";

export const quantize: Command = defineCommand({
  name: "quantize",
  text: "Makes a model smaller: writes a GGUF file with fewer bits for each weight, or with a text that shows what its weights are used for a GPTQ or AWQ checkpoint.",
  arguments: [
    {
      name: "MODEL",
      text: "an installed model, a GGUF file or the folder of a checkpoint, in F16, BF16 or F32, or an ONNX file in float32",
      required: true,
    },
  ],
  flags: {
    type: {
      kind: "value",
      value: "TYPE",
      text: `one of ${mixNames.join(", ")}, or gptq, awq for a folder of SafeTensors, or int8, int4 of an ONNX model; default q4_k_m, of an ONNX model int8`,
      parse: parseOneOf([...mixNames, ...checkpointTypes, ...onnxTypes]),
    },
    out: {
      kind: "value",
      value: "PATH",
      text: "the file or folder to write; default MODEL-TYPE.gguf, MODEL-gptq, MODEL-awq",
      parse: (text) => text,
    },
    calibration: {
      kind: "value",
      value: "FILE",
      text: "for gptq and awq: a text of the kind that the model is for; 30,000 tokens are enough; for int8: inputs as .npz, .npy or .jsonl, or a folder of such, by which activations get fixed scales",
      parse: (text) => text,
    },
    bits: {
      kind: "value",
      value: "4|8",
      text: "of a code of gptq; default 4",
      parse: parseOneOf<"4" | "8">(["4", "8"]),
    },
    group: {
      kind: "value",
      value: "32|64|128|-1",
      text: "for gptq, awq and int4: weights of a row that share a scale, -1 for all of it; default 128, of int4 32",
      parse: parseOneOf<"32" | "64" | "128" | "-1">(["32", "64", "128", "-1"]),
    },
    order: {
      kind: "switch",
      text: "for gptq: columns that are used most are rounded first (act-order); better, but slower in some engines",
    },
    asymmetric: { kind: "switch", text: "for int4: each group has a zero of its own" },
    "per-tensor": { kind: "switch", text: "for int8: one scale for all channels of a tensor" },
    "full-range": {
      kind: "switch",
      text: "for int8: weights from -127 instead of -64; a little better, but wrong on x86 processors without VNNI",
    },
    inputs: {
      kind: "value",
      value: "FILE",
      text: "for int8 and int4 with --card: inputs to compare on, of the same kinds of files as a calibration; default made up",
      parse: (text) => text,
    },
    "allow-domain": {
      kind: "list",
      value: "DOMAIN",
      text: "for int8 and int4: the model may use operators of this domain, which no check here knows",
      parse: (text) => text,
    },
    imatrix: {
      kind: "value",
      value: "FILE",
      text: "importance matrix: which columns count, as `hearth imatrix` and llama.cpp write it",
      parse: (text) => text,
    },
    tensor: {
      kind: "list",
      value: "PATTERN=TYPE",
      text: "a type for the tensors whose name has the pattern, a regular expression, in it",
      parse: parseTensorRule,
    },
    "allow-requantize": { kind: "switch", text: "also from weights that are quantized already, which costs quality" },
    card: {
      kind: "switch",
      text: "measure the result against the model, and write a quality card beside it; takes minutes for small models, hours for large ones",
    },
  },
  settings: ["threads"],
  examples: [
    "hearth quantize ./model-f16.gguf",
    "hearth quantize ./model-f16.gguf --type q3_k_m --imatrix model.imatrix.gguf --card",
    "hearth quantize ./model-f16.gguf --type q4_0 --tensor 'ffn_down=q6_k'",
    "hearth quantize ./model --type gptq --calibration text.txt --order",
    "hearth quantize ./model --type awq --group 64 --calibration text.txt --card",
    "hearth quantize ./model.onnx --type int8 --calibration samples.npz --card",
  ],
  async run(context) {
    const { args, flags, services, settings, signal, status } = context;
    const type = flags.type ?? (args[0]?.endsWith(".onnx") ? "int8" : "q4_k_m");
    checkFlags(type, flags);
    if (isOnnx(type)) {
      const { quantizeOnnxModel } = await import("./compress/onnx.ts");
      const model = await findModel(context, args[0] ?? "", ["onnx"]);
      return await quantizeOnnxModel(context, { model, type, flags });
    }
    const model = await findModel(context, args[0] ?? "");
    const out = flags.out ?? defaultPath(model, type);
    const report = isCheckpoint(type)
      ? await calibrate(context, { model, type, out, flags })
      : await services.quantize({
          source: model.path,
          out,
          mix: type,
          rules: flags.tensor,
          importance: flags.imatrix,
          allowRequantize: flags["allow-requantize"],
          threads: settings.threads,
          signal,
          onProgress: status.update,
        });
    status.clear();
    if (!context.json) writeReport(context, report);
    const card = flags.card ? await makeCard(context, model, { path: report.path }) : undefined;
    if (context.json) context.writeJson({ ...report, card });
  },
});

type TypeName = MixName | CheckpointType | OnnxQuantType;

function isCheckpoint(type: TypeName): type is CheckpointType {
  return type === "gptq" || type === "awq";
}

function isOnnx(type: TypeName): type is OnnxQuantType {
  return type === "int8" || type === "int4";
}

const gptqFlags = ["calibration", "bits", "group", "order"] as const;
const onnxFlags = ["calibration", "group", "asymmetric", "per-tensor", "full-range", "inputs", "allow-domain"] as const;
const ggufFlags = ["imatrix", "tensor"] as const;

/** Flags of one kind of output say nothing of the other. */
function checkFlags(type: TypeName, flags: Readonly<Record<string, unknown>>): void {
  const own: readonly string[] = isOnnx(type) ? onnxFlags : isCheckpoint(type) ? gptqFlags : ggufFlags;
  const given = [...gptqFlags, ...onnxFlags, ...ggufFlags].find((name) => {
    const value = flags[name];
    const isSet = Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;
    return isSet && !own.includes(name);
  });
  if (given === undefined) return;
  const is = (names: readonly string[]): boolean => names.includes(given);
  const kinds = [
    is(ggufFlags) ? "GGUF types" : "",
    is(gptqFlags) ? "gptq and awq" : "",
    is(onnxFlags) ? "int8 and int4" : "",
  ];
  throw new HearthError("usage", `--${given} says nothing of --type ${type}.`, {
    hint: `It is for ${kinds.filter((kind) => kind !== "").join(", ")}.`,
  });
}

/** In the working folder: a model of the store has no name there that anybody would look for. */
function defaultPath({ name, path }: FoundModel, type: TypeName): string {
  const isFile = name === path || path.endsWith(name);
  const stem = basename(isFile ? path : name)
    .replace(/(?:-00001-of-\d{5})?\.(?:gguf|safetensors)$/i, "")
    .replace(/[-._](?:bf16|fp?16|fp?32)$/i, "")
    .replaceAll(/[^\w.-]+/g, "-");
  return join(isFile ? dirname(path) : ".", `${stem}-${type}${isCheckpoint(type) ? "" : ".gguf"}`);
}

function writeReport({ io }: Pick<Context, "io">, report: QuantizeReport | CalibrateReport): void {
  if ("method" in report) {
    io.stdout.write(calibratePairs(report, io));
    return;
  }
  const types = Object.entries(report.types).toSorted((a, b) => b[1] - a[1]);
  const pairs = formatPairs(io.stdout, [
    ["file", report.path],
    ["size", `${formatBytes(report.sizeBytes)}; the source has ${formatBytes(report.sourceBytes)}`],
    ["bits per weight", report.bitsPerWeight.toFixed(2)],
    ["types", types.map(([type, weights]) => `${type} ${formatCount(weights)}`).join(", ")],
    [
      "other types",
      report.fallbacks === 0
        ? undefined
        : `${report.fallbacks} tensors, whose rows are not whole blocks of the wanted one`,
    ],
    ["time", formatDuration(report.ms)],
  ]);
  io.stdout.write(pairs);
}
