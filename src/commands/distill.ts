import type { DistillReport } from "../compress/distill/contract.ts";
import { readText } from "../compress/evaluate/text.ts";
import { parseCount, parseList, parseOneOf, parseText } from "../config/values.ts";
import { HearthError } from "../error.ts";
import { formatPairs } from "../terminal/table.ts";
import { formatBytes, formatCount, formatDuration } from "../util/format.ts";
import { distillClassifier } from "./compress/classifier.ts";
import { findModel } from "./compress/model.ts";
import { defineCommand, parseNumber, type Command, type Context, type FlagValues } from "./command.ts";

const tasks = ["generate", "classify"] as const;

const flagRows = {
  task: {
    kind: "value",
    value: tasks.join("|"),
    text: "what the student is to do: go on with texts, or say which label a text has; default generate",
    parse: parseOneOf(tasks),
  },
  teacher: {
    kind: "value",
    value: "MODEL",
    text: "the language model to learn from; needed, but not to classify texts that have labels",
    parse: parseText,
  },
  student: {
    kind: "value",
    value: "MODEL",
    text: "the model to train, as a rule a pruned one: a GGUF file, a checkpoint's folder or an installed model; to classify, an ONNX model of embeddings, which gets a head; needed",
    parse: parseText,
  },
  text: {
    kind: "value",
    value: "FILE",
    text: 'a text of the kind that the model is for; 100,000 tokens are good; to classify, one text a line, or {"text", "label"}; needed',
    parse: parseText,
  },
  labels: {
    kind: "value",
    value: "A,B,C",
    text: "to classify: the labels; default those of the texts",
    parse: parseList,
  },
  ask: {
    kind: "value",
    value: "TEXT",
    text: 'to classify: what the teacher is asked to write, with the label at {}; default "Write a sentence about {}."',
    parse: parseText,
  },
  "held-out": {
    kind: "value",
    value: "FILE",
    text: "the text to measure with; default the last tenth of --text, to classify a fifth of it, which is then not learned from",
    parse: parseText,
  },
  out: { kind: "value", value: "PATH", text: "the GGUF file or the folder to make; needed", parse: parseText },
  steps: { kind: "value", value: "N", text: "steps of learning; default 100", parse: parseCount },
  batch: { kind: "value", value: "N", text: "windows of a step; default 2", parse: parseCount },
  window: { kind: "value", value: "N", text: "tokens of a window; default 256", parse: parseCount },
  rank: { kind: "value", value: "R", text: "narrow side of the LoRA matrices; default 16", parse: parseCount },
  rate: { kind: "value", value: "X", text: "the largest rate of learning; default 0.002", parse: parseNumber },
  temperature: {
    kind: "value",
    value: "T",
    text: "of the probabilities of teacher and student that are compared; default 1",
    parse: parseNumber,
  },
  share: {
    kind: "value",
    value: "X",
    text: "part of the teacher's answers in what is learned, the rest is the text itself; default 0.5",
    parse: parseNumber,
  },
  top: {
    kind: "value",
    value: "N",
    text: "likeliest tokens of each answer of the teacher; default 64",
    parse: parseCount,
  },
  seed: {
    kind: "value",
    value: "N",
    text: "of the order of the text and of the first weights; default 1",
    parse: parseCount,
  },
} as const;

type Flags = FlagValues<typeof flagRows>;

export const distill: Command = defineCommand({
  name: "distill",
  text: "Teaches a small model: makes a smaller language model better, by LoRA matrices and its norms that are trained on a text and on what a larger model with the same tokenizer says of it; or makes a classifier of a model of embeddings and of texts that have labels, or that a language model labels.",
  arguments: [],
  flags: flagRows,
  settings: ["threads"],
  examples: [
    "hearth prune ./model-f16.gguf --layers 25% --calibration notes.txt --out pruned.gguf",
    "hearth distill --teacher ./model-f16.gguf --student pruned.gguf --text notes.txt --out small.gguf",
    "hearth distill --task classify --student all-minilm:l6-v2-f32 --text mails.jsonl --out mail-topics",
    "hearth distill --task classify --labels bill,offer,other --teacher smollm2 --student all-minilm:l6-v2-f32 --text mails.txt --out mail-topics",
  ],
  async run(context) {
    checkFlags(context.flags);
    await (context.flags.task === "classify" ? classifier(context) : languageModel(context));
  },
});

type Call = Context<typeof flagRows>;

async function languageModel(context: Call): Promise<void> {
  const { flags, services, settings, signal, status, io, json } = context;
  const { "held-out": heldOut, steps, batch, window, rank, rate, temperature, share, top, seed } = flags;
  const report = await services.distill({
    learning: { steps, batch, window, rank, rate, temperature, share, top, seed },
    teacher: await findModel(context, required(flags, "teacher")),
    student: await findModel(context, required(flags, "student")),
    text: await readText(required(flags, "text")),
    heldOut: heldOut === undefined ? undefined : await readText(heldOut),
    out: required(flags, "out"),
    settings,
    signal,
    onProgress: status.update,
  });
  status.clear();
  for (const note of report.notes) status.note(note);
  if (json) context.writeJson(report);
  else io.stdout.write(formatPairs(io.stdout, lines(report)));
}

async function classifier(context: Call): Promise<void> {
  const { flags } = context;
  const { teacher, labels, ask, seed, "held-out": heldOut } = flags;
  if (ask !== undefined && teacher === undefined) {
    throw new HearthError("usage", "--ask is for --teacher, which is not given.", { hint: "Add --teacher MODEL." });
  }
  const names = { student: required(flags, "student"), text: required(flags, "text"), out: required(flags, "out") };
  await distillClassifier(context, { ...names, teacher, labels, ask, seed, heldOut });
}

const generating = ["steps", "batch", "window", "rank", "rate", "temperature", "share", "top"] as const;

/** Throws `usage` for flags of the other task. */
function checkFlags(flags: Flags): void {
  const classifies = flags.task === "classify";
  const wrong = (classifies ? generating : (["labels", "ask"] as const)).find((name) => flags[name] !== undefined);
  if (wrong === undefined) return;
  throw new HearthError("usage", `--${wrong} says nothing of --task ${classifies ? "classify" : "generate"}.`, {
    hint: `It is for --task ${classifies ? "generate" : "classify"}.`,
  });
}

function required(flags: Flags, name: "teacher" | "student" | "text" | "out"): string {
  const value = flags[name];
  if (value !== undefined) return value;
  throw new HearthError("usage", `--${name} is missing.`, { hint: `Give --${name} ${flagRows[name].value}.` });
}

function lines(report: DistillReport): readonly (readonly [string, string | undefined])[] {
  const { heldOut, steps, bestStep, stepMs, stepTokens } = report;
  const loss = (nats: number): string => `${nats.toFixed(3)} (perplexity ${Math.exp(nats).toFixed(2)})`;
  const { recovered } = heldOut;
  return [
    ["file", report.path],
    ["size", formatBytes(report.sizeBytes)],
    ["trained", `${formatCount(report.parameters)} parameters`],
    ["steps", `${steps} of ${stepTokens} tokens, ${formatDuration(stepMs)} each; the best was ${bestStep}`],
    ["measured with", `${heldOut.name}, ${heldOut.tokens} tokens`],
    ["teacher", loss(heldOut.teacher)],
    ["before", loss(heldOut.before)],
    ["after", loss(heldOut.after)],
    ["won back", recovered === undefined ? undefined : `${(100 * recovered).toFixed(1)} % of what was lost`],
    ["time", formatDuration(report.ms)],
  ];
}
