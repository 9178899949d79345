/**
 * Distills a classifier: a teacher, or the user, says which label each text has, and a head on a model of embeddings learns
 * to say the same (soft targets: arXiv 1503.02531).
 */
import { dirname, resolve } from "node:path";
import { HearthError } from "../../../error.ts";
import { meanOf } from "../../evaluate/statistics.ts";
import type { Mean } from "../../evaluate/statistics.ts";
import { labelIsolated } from "../../isolate.ts";
import { checkAbsent, checkRoom } from "../../output.ts";
import { modelSize } from "../../onnx/source.ts";
import { openOnnx } from "../../../formats/onnx/read.ts";
import type { ClassifierOptions, ClassifierReport, HeldOutFacts, Student } from "./contract.ts";
import { chooseLabels, parseExamples, splitExamples } from "./examples.ts";
import type { Example } from "./examples.ts";
import { filesOf, readStudentConfig, writeClassifier } from "./folder.ts";
import type { Head } from "./softmax.ts";
import { predict } from "./softmax.ts";
import { lossOf, trainHead } from "./train.ts";
import type { Row } from "./train.ts";

const defaultSeed = 1;
const defaultAsk = "Write a sentence about {}.";
const leastLearned = 10;

/** A text with all that is known of it. */
interface Known extends Row {
  /** Place of the given label. */
  readonly given: number | undefined;
  /** Probabilities that the teacher says. */
  readonly taught: Float32Array | undefined;
}

/**
 * Throws `model_unsupported` for a student that makes no embeddings or is not ONNX, `bad_request` for texts and labels that do
 * not do, `conflict` and `disk_full`: all before anything is computed. Aborted or killed, it leaves nothing under its name.
 */
export async function distillClassifier(options: ClassifierOptions): Promise<ClassifierReport> {
  const started = performance.now();
  const { student, teacher, text, heldOut, out, seed = defaultSeed, signal, onProgress } = options;
  checkStudent(student);
  await checkOutput(options);
  const examples = parseExamples(text);
  const others = heldOut && parseExamples(heldOut);
  const labels = chooseLabels([...examples, ...(others ?? [])], options.labels);
  const { learned, held } = others ? { learned: examples, held: others } : splitExamples(examples, seed);
  checkEnough(options, { learned, held, labels });
  const all = [...learned, ...held];
  const { vectors, truncated } = await student.embed(all.map((example) => example.text));
  const taught = await askTeacher(options, { learned, held, labels });
  const known = all.map((example, index) =>
    know(example, { labels, vector: vectors[index], taught: taught.get(example) }),
  );
  const [seen, unseen] = [known.slice(0, learned.length), known.slice(learned.length)];
  const onPart = (part: number): void =>
    onProgress?.({
      phase: "train",
      label: student.model.name,
      completedBytes: Math.round(part * 100),
      totalBytes: 100,
    });
  const { head, decay, steps } = await trainHead(seen, { seed, signal, onPart });
  const sizeBytes = await writeClassifier({ ...options, labels, head });
  return {
    path: out,
    sizeBytes,
    student: student.model.name,
    ...(teacher && { teacher: teacher.name }),
    labels: countLabels(labels, seen),
    texts: learned.length,
    heldOut: measure(head, unseen, heldOut?.name ?? `a fifth of ${text.name}`),
    decay,
    steps,
    notes: notesOf(truncated.length, { labels, seen }),
    ms: performance.now() - started,
  };
}

const embedders =
  "Give an ONNX model of embeddings in the layout of transformers.js, for example all-minilm:l6-v2-f32.";

function checkStudent(student: Student): void {
  const reason = unfitness(student);
  if (reason === undefined) return;
  throw new HearthError("model_unsupported", `${student.model.name} ${reason}.`, { hint: embedders });
}

function unfitness(student: Student): string | undefined {
  const { format, capabilities } = student.info;
  if (format !== "onnx") return `is a model of the format ${format}, of which no classifier in ONNX can be made`;
  if (!capabilities.includes("embed")) return "makes no embeddings of texts";
  // Nobody knows how its texts become tokens.
  if (!readStudentConfig(student, "config.json")) return "has no config.json beside its weights";
  const prompt = readStudentConfig(student, "config_sentence_transformers.json")?.["default_prompt_name"];
  if (typeof prompt !== "string") return undefined;
  return `wants its prompt "${prompt}" before each text, and classifiers get texts without one`;
}

async function checkOutput({ student, out, freeBytes }: ClassifierOptions): Promise<void> {
  checkAbsent(out);
  const source = openOnnx(filesOf(student).path, { name: student.model.name });
  const sizeBytes = modelSize(source);
  source.close();
  await checkRoom({ path: out, sizeBytes, freeBytes }, dirname(resolve(out)));
}

interface Texts {
  readonly learned: readonly Example[];
  readonly held: readonly Example[];
  readonly labels: readonly string[];
}

function checkEnough(
  { teacher, ask = defaultAsk, text, heldOut }: ClassifierOptions,
  { learned, held, labels }: Texts,
): void {
  if (!ask.includes("{}")) {
    throw new HearthError("bad_request", `The teacher is asked for "${ask}", which has no place for a label.`, {
      hint: `Write {} where the label belongs: --ask "${defaultAsk}"`,
    });
  }
  if (learned.length < leastLearned || held.length === 0) {
    const name = learned.length < leastLearned ? text.name : (heldOut ?? text).name;
    throw new HearthError(
      "bad_request",
      `${name} gives ${Math.min(learned.length, held.length || Infinity)} texts for this; ${leastLearned} to learn from and one to measure with are needed.`,
      {
        hint: "Take more texts. 50 of each label are good.",
      },
    );
  }
  if (teacher) return;
  const bare = [...learned, ...held].find(({ label }) => label === undefined);
  if (bare) {
    throw new HearthError(
      "bad_request",
      `The text "${bare.text.slice(0, 60)}" has no label, and there is no teacher.`,
      {
        hint: "Name a language model that finds the labels, --teacher MODEL, or give each text its label.",
      },
    );
  }
  const missing = labels.find((label) => learned.every((example) => example.label !== label));
  if (missing === undefined) return;
  throw new HearthError("bad_request", `No text that is learned from has the label "${missing}".`, {
    hint: "Give texts that have it, or leave it out of --labels.",
  });
}

/** Of texts to learn from only those without a label; of those to measure with all. */
async function askTeacher(
  options: ClassifierOptions,
  { learned, held, labels }: Texts,
): Promise<ReadonlyMap<Example, Float32Array>> {
  const { teacher, ask = defaultAsk, threads, signal, onProgress } = options;
  if (!teacher) return new Map();
  const asked = [...learned.filter(({ label }) => label === undefined), ...held];
  const texts = asked.map((example) => example.text);
  const found = await labelIsolated({ teacher, texts, labels, ask, threads, signal, onProgress });
  return new Map(asked.map((example, index) => [example, found[index] ?? new Float32Array(labels.length)]));
}

interface Facts {
  readonly labels: readonly string[];
  readonly vector: Float32Array | undefined;
  readonly taught: Float32Array | undefined;
}

function know({ label }: Example, { labels, vector = new Float32Array(), taught }: Facts): Known {
  const given = label === undefined ? undefined : labels.indexOf(label);
  const target = given === undefined ? taught : Float32Array.from(labels, (_, index) => (index === given ? 1 : 0));
  return { vector, given, taught, target: target ?? new Float32Array(labels.length) };
}

/** Place of the largest. */
function likeliest(probabilities: Float32Array): number {
  return probabilities.indexOf(Math.max(...probabilities));
}

function countLabels(labels: readonly string[], rows: readonly Known[]): Readonly<Record<string, number>> {
  const counts = new Map(labels.map((label) => [label, 0]));
  for (const { target } of rows) {
    const label = labels[likeliest(target)] ?? "";
    counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  return Object.fromEntries(counts);
}

function measure(head: Head, rows: readonly Known[], name: string): HeldOutFacts {
  const found = rows.map((row) => ({ ...row, said: likeliest(predict(head, row.vector)) }));
  const given = found.filter((row) => row.given !== undefined);
  const rate = (list: readonly boolean[]): Mean | undefined =>
    list.length === 0 ? undefined : meanOf(list.map(Number));
  const accuracy = rate(given.map((row) => row.said === row.given));
  const teacherAccuracy = rate(
    given.flatMap(({ taught, given: label }) => (taught ? [likeliest(taught) === label] : [])),
  );
  const agreement = rate(found.flatMap(({ taught, said }) => (taught ? [likeliest(taught) === said] : [])));
  return {
    name,
    texts: rows.length,
    ...(accuracy && { accuracy }),
    ...(teacherAccuracy && { teacherAccuracy }),
    ...(agreement && { agreement }),
    crossEntropy: meanOf(rows.map((row) => lossOf(head, row))).value,
  };
}

function notesOf(
  cut: number,
  { labels, seen }: { readonly labels: readonly string[]; readonly seen: readonly Known[] },
): readonly string[] {
  const counts = countLabels(labels, seen);
  const absent = labels.filter((label) => counts[label] === 0);
  return [
    ...(cut === 0 ? [] : [`${cut} texts are longer than what the student reads, and were cut.`]),
    ...absent.map((label) => `The teacher finds "${label}" the likeliest of no text that is learned from.`),
  ];
}
