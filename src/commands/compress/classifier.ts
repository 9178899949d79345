/** `hearth distill --task classify`. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { ClassifierReport, Embedded, Student } from "../../compress/distill/classify/contract.ts";
import { readText } from "../../compress/evaluate/text.ts";
import type { Mean } from "../../compress/evaluate/statistics.ts";
import { formatPairs } from "../../terminal/table.ts";
import { formatBytes, formatDuration } from "../../util/format.ts";
import type { Context } from "../command.ts";
import { findModel } from "./model.ts";

export interface ClassifierCall {
  readonly student: string;
  readonly teacher: string | undefined;
  readonly text: string;
  readonly heldOut: string | undefined;
  readonly labels: readonly string[] | undefined;
  readonly ask: string | undefined;
  readonly seed: number | undefined;
  readonly out: string;
}

export async function distillClassifier(context: Context, call: ClassifierCall): Promise<void> {
  const { services, settings, signal, status, io, json } = context;
  const { teacher, text, heldOut, labels, ask, seed, out } = call;
  const report = await services.distillClassifier({
    student: await findStudent(context, call.student),
    teacher: teacher === undefined ? undefined : await findModel(context, teacher),
    text: await readText(text),
    heldOut: heldOut === undefined ? undefined : await readText(heldOut),
    labels,
    ask,
    seed,
    out,
    settings,
    signal,
    onProgress: status.update,
  });
  status.clear();
  for (const note of report.notes) status.note(note);
  if (json) context.writeJson(report);
  else io.stdout.write(formatPairs(io.stdout, lines(report)));
}

/** The model of embeddings runs in its engine, as for `hearth embed`. */
async function findStudent(context: Context, text: string): Promise<Student> {
  const hearth = await context.hearth();
  const model = await hearth.library.resolve(existsSync(text) ? resolve(text) : text);
  return {
    model,
    info: await hearth.library.inspect(model),
    async embed(texts): Promise<Embedded> {
      return await hearth.embed({ model: model.name, texts, truncate: true, signal: context.signal });
    },
  };
}

function lines(report: ClassifierReport): readonly (readonly [string, string | undefined])[] {
  const { heldOut, labels } = report;
  const rate = (mean: Mean | undefined): string | undefined =>
    mean && `${(100 * mean.value).toFixed(1)} ± ${(100 * mean.error).toFixed(1)} %`;
  return [
    ["folder", report.path],
    ["size", formatBytes(report.sizeBytes)],
    ["student", report.student],
    ["teacher", report.teacher],
    [
      "labels",
      Object.entries(labels)
        .map(([label, texts]) => `${label} ${texts}`)
        .join(", "),
    ],
    ["measured with", `${heldOut.name}, ${heldOut.texts} texts`],
    ["right labels", rate(heldOut.accuracy)],
    ["of the teacher", rate(heldOut.teacherAccuracy)],
    ["as the teacher", rate(heldOut.agreement)],
    ["cross-entropy", `${heldOut.crossEntropy.toFixed(3)} nats`],
    ["time", formatDuration(report.ms)],
  ];
}
