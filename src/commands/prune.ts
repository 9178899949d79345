import { basename, dirname, join } from "node:path";
import { prunedLines } from "../compress/card/pruned.ts";
import { readText } from "../compress/evaluate/text.ts";
import type { Cuts, PruneReport, ZeroMethod } from "../compress/prune/contract.ts";
import { isMeasured } from "../compress/prune/measure.ts";
import { parseCount, parseOneOf, parseText } from "../config/values.ts";
import { HearthError } from "../error.ts";
import { checkpointFolder } from "../formats/model.ts";
import { formatPairs } from "../terminal/table.ts";
import { formatBytes, formatCount, formatDuration } from "../util/format.ts";
import { parseAmount, parseLayers, parsePattern, parseSparsity } from "./compress/amounts.ts";
import { makeCard } from "./compress/card.ts";
import { findModel } from "./compress/model.ts";
import type { FoundModel } from "./compress/model.ts";
import { defineCommand, type Command, type Context, type FlagValues } from "./command.ts";

const methods = ["wanda", "magnitude"] as const satisfies readonly ZeroMethod[];

const flagRows = {
  layers: {
    kind: "value",
    value: "N|P%",
    text: "take out so many layers: those that change least what goes through them",
    parse: parseAmount,
  },
  drop: { kind: "value", value: "LAYERS", text: "take out these layers, counted from 0: 20-25,28", parse: parseLayers },
  heads: {
    kind: "value",
    value: "N|P%",
    text: "take so many attention heads out of each layer; heads that share keys go together",
    parse: parseAmount,
  },
  ffn: {
    kind: "value",
    value: "N|P%",
    text: "take so many channels out of each feed-forward part",
    parse: parseAmount,
  },
  sparsity: {
    kind: "value",
    value: "PART",
    text: "make such a part of the layers' weights zero; the file stays as large",
    parse: parseSparsity,
  },
  pattern: {
    kind: "value",
    value: "N:M",
    text: "keep at most N of M weights side by side; the file stays as large",
    parse: parsePattern,
  },
  method: {
    kind: "value",
    value: methods.join("|"),
    text: "which weights become zero: by what the calibration text makes of them, or the smallest; default wanda",
    parse: parseOneOf(methods),
  },
  calibration: {
    kind: "value",
    value: "FILE",
    text: "a text of the kind that the model is for; 50,000 tokens are good",
    parse: parseText,
  },
  tokens: { kind: "value", value: "N", text: "tokens of the calibration text at most", parse: parseCount },
  out: {
    kind: "value",
    value: "PATH",
    text: "the GGUF file or the folder to make; default MODEL-pruned, as the model is",
    parse: parseText,
  },
  card: {
    kind: "switch",
    text: "measure the result against the model, and write a quality card beside it; takes minutes for small models, hours for large ones",
  },
} as const;

type Flags = FlagValues<typeof flagRows>;

export const prune: Command = defineCommand({
  name: "prune",
  text: "Makes a model smaller by leaving out what counts least: layers, attention heads, feed-forward channels, or single weights.",
  arguments: [
    {
      name: "MODEL",
      text: "an installed model, a GGUF file or the folder of a checkpoint, in F16, BF16 or F32; layers go from quantized ones too",
      required: true,
    },
  ],
  flags: flagRows,
  settings: ["threads"],
  examples: [
    "hearth prune ./model-f16.gguf --layers 25% --calibration text.txt --card",
    "hearth prune ./model-f16.gguf --drop 20-25 --out smaller.gguf",
    "hearth prune ./Model --pattern 2:4 --calibration text.txt --out ./Model-sparse",
    "hearth prune ./model-f16.gguf --sparsity 0.5 --method magnitude",
  ],
  async run(context) {
    const { args, flags, services, signal, status } = context;
    const cuts = cutsOf(flags);
    const measure = measuring(context, cuts);
    const model = await findModel(context, args[0] ?? "");
    const report = await services.prune({
      ...cuts,
      source: model.path,
      out: flags.out ?? defaultPath(model),
      measure: measure && (() => measure(model)),
      signal,
      onProgress: status.update,
    });
    status.clear();
    for (const note of report.notes) status.note(note);
    if (!context.json) writeReport(context, report);
    const card = flags.card ? await makeCard(context, model, { path: report.path, pruned: report.facts }) : undefined;
    if (context.json) context.writeJson({ ...report, card });
  },
});

/** Throws `usage` for flags that contradict one another or have no use. */
function cutsOf(flags: Flags): Cuts {
  const { layers, drop, heads, ffn: channels, sparsity, pattern, method } = flags;
  if (layers && drop) throw new HearthError("usage", "--layers and --drop cannot both be given.");
  if (sparsity && pattern) throw new HearthError("usage", "--sparsity and --pattern cannot both be given.");
  const share = pattern ?? sparsity;
  if (method !== undefined && !share) throw new HearthError("usage", "--method needs --sparsity or --pattern.");
  if (!layers && !drop && !heads && !channels && !share) {
    throw new HearthError("usage", "Nothing is to be taken out.", {
      hint: "Say what: --layers 25%, --drop 20-25, --heads 25%, --ffn 25%, --sparsity 0.5 or --pattern 2:4.",
    });
  }
  return { layers: drop ? { drop } : layers, heads, channels, zeros: share && { ...share, method: method ?? "wanda" } };
}

/** What computes the calibration text; undefined: there is none. Throws `usage` where it would be of no use. */
function measuring(context: Context<typeof flagRows>, cuts: Cuts) {
  const { flags, services, settings, signal, status } = context;
  const { calibration, tokens = Infinity } = flags;
  if (calibration === undefined) {
    if (Number.isFinite(tokens)) throw new HearthError("usage", "--tokens needs --calibration.");
    return undefined;
  }
  if (!isMeasured(cuts)) {
    throw new HearthError("usage", "--calibration is of no use: what is asked for needs no text.", {
      hint: "Leave it out, or let it choose: --layers 25%, --method wanda.",
    });
  }
  return async ({ path, name }: FoundModel) => {
    const text = await readText(calibration);
    const chunks = Math.floor(tokens / chunkTokens);
    return await services.collectImportance(path, {
      name,
      text,
      chunkTokens,
      chunks,
      settings,
      signal,
      onProgress: status.update,
    });
  };
}

const chunkTokens = 512;

/** In the working folder: a model of the store has no name there that anybody would look for. */
function defaultPath({ name, path }: FoundModel): string {
  const isFile = name === path || path.endsWith(name);
  const isFolder = checkpointFolder(path) !== undefined;
  const stem = basename(isFile ? path : name)
    .replace(/(?:-00001-of-\d{5})?\.(?:gguf|safetensors)$/i, "")
    .replaceAll(/[^\w.-]+/g, "-");
  return join(isFile ? dirname(path) : ".", `${stem}-pruned${isFolder ? "" : ".gguf"}`);
}

function writeReport({ io }: Pick<Context, "io">, report: PruneReport): void {
  const parts = report.tensors.map(({ zeros }) => zeros).toSorted((a, b) => a - b);
  const percent = (part: number | undefined): string => `${((part ?? 0) * 100).toFixed(2)} %`;
  const pairs = formatPairs(io.stdout, [
    [report.format === "gguf" ? "file" : "folder", report.path],
    ["size", formatBytes(report.sizeBytes)],
    ["parameters", `${formatCount(report.weights)} of ${formatCount(report.sourceWeights)}`],
    ...prunedLines(report.facts),
    ["zeros of a matrix", parts.length === 0 ? undefined : `${percent(parts[0])} to ${percent(parts.at(-1))}`],
    ["time", formatDuration(report.ms)],
  ]);
  io.stdout.write(pairs);
}
