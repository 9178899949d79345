import { basename, dirname, join } from "node:path";
import type { Card } from "../compress/card/card.ts";
import { mixNames } from "../compress/quantize/mixes.ts";
import type { MixName } from "../compress/quantize/mixes.ts";
import type { QuantizeReport } from "../compress/quantize/quantize.ts";
import { parseOneOf } from "../config/values.ts";
import { style } from "../terminal/style.ts";
import { formatPairs } from "../terminal/table.ts";
import { formatBytes, formatCount, formatDuration } from "../util/format.ts";
import { findModel } from "./compress/model.ts";
import type { FoundModel } from "./compress/model.ts";
import { parseTensorRule } from "./compress/rule.ts";
import { defineCommand, type Command, type Context } from "./command.ts";

export const quantize: Command = defineCommand({
  name: "quantize",
  text: "Makes a model smaller: writes a GGUF file with fewer bits for each weight.",
  arguments: [
    {
      name: "MODEL",
      text: "an installed model, a GGUF file or the folder of a checkpoint, in F16, BF16 or F32",
      required: true,
    },
  ],
  flags: {
    type: {
      kind: "value",
      value: "TYPE",
      text: `one of ${mixNames.join(", ")}; default q4_k_m`,
      parse: parseOneOf(mixNames),
    },
    out: { kind: "value", value: "FILE", text: "the file to write; default MODEL-TYPE.gguf", parse: (text) => text },
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
  ],
  async run(context) {
    const { args, flags, services, settings, signal, status } = context;
    const model = await findModel(context, args[0] ?? "");
    const mix: MixName = flags.type ?? "q4_k_m";
    const out = flags.out ?? defaultPath(model, mix);
    const report = await services.quantize({
      source: model.path,
      out,
      mix,
      rules: flags.tensor,
      importance: flags.imatrix,
      allowRequantize: flags["allow-requantize"],
      threads: settings.threads,
      signal,
      onProgress: status.update,
    });
    status.clear();
    if (!context.json) writeReport(context, report);
    const card = flags.card ? await makeCard(context, model, report) : undefined;
    if (context.json) context.writeJson({ ...report, card });
  },
});

/** In the working folder: a model of the store has no name there that anybody would look for. */
function defaultPath({ name, path }: FoundModel, mix: MixName): string {
  const isFile = name === path || path.endsWith(name);
  const stem = basename(isFile ? path : name)
    .replace(/(?:-00001-of-\d{5})?\.(?:gguf|safetensors)$/i, "")
    .replace(/[-._](?:bf16|fp?16|fp?32)$/i, "")
    .replaceAll(/[^\w.-]+/g, "-");
  return join(isFile ? dirname(path) : ".", `${stem}-${mix}.gguf`);
}

function writeReport({ io }: Pick<Context, "io">, report: QuantizeReport): void {
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

async function makeCard(
  { io, json, services, settings, signal, status }: Context,
  model: FoundModel,
  report: QuantizeReport,
): Promise<Card> {
  const { createCard } = await import("../compress/card/card.ts");
  const { cardLines } = await import("../compress/card/lines.ts");
  const { defaultText } = await import("../compress/evaluate/text.ts");
  const evaluation = await services.evaluate({
    model: { name: basename(report.path), path: report.path },
    reference: model,
    text: await defaultText(),
    settings,
    signal,
    onProgress: status.update,
  });
  status.clear();
  const card = createCard(evaluation);
  const paths = await services.writeCard(report.path, card);
  if (!json) {
    io.stdout.write(`${formatPairs(io.stdout, cardLines(card))}${style(io.stdout, "dim", paths.join("\n"))}\n`);
  }
  return card;
}
