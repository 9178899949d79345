/** A classifier as a folder that transformers.js and the engine know. */
import { copyFileSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { HearthError } from "../../../error.ts";
import { encodeOnnx, writePieces } from "../../../formats/onnx/encode.ts";
import { limits } from "../../../formats/onnx/limits.ts";
import { openOnnx, readOnnx } from "../../../formats/onnx/read.ts";
import { modelFiles } from "../../../models/onnx-around.ts";
import { syncFile, syncFolder } from "../../../models/durable.ts";
import { formatBytes } from "../../../util/format.ts";
import { writeFolder } from "../../convert/folder.ts";
import type { ClassifierOptions, Student } from "./contract.ts";
import { addHead } from "./graph.ts";
import type { Head } from "./softmax.ts";

/** What stands beside the weights: how texts become tokens, and whose work the model is. */
const copied =
  /^(?:tokenizer[\w.-]*|special_tokens_map\.json|added_tokens\.json|vocab\.(?:json|txt)|merges\.txt|sentence_bert_config\.json|LICEN[CS]E[\w.]*|NOTICE[\w.]*)$/i;

export interface ClassifierFolder extends Pick<ClassifierOptions, "out" | "freeBytes" | "signal"> {
  readonly student: Student;
  readonly labels: readonly string[];
  readonly head: Head;
}

/** Bytes of the ONNX file. Throws `conflict` and `disk_full` before anything is written. */
export async function writeClassifier(options: ClassifierFolder): Promise<number> {
  const { student, labels, head, out, freeBytes, signal } = options;
  const { name } = student.model;
  const { path, own, files } = filesOf(student);
  const source = openOnnx(path, { name });
  try {
    const model = addHead(source.model, head, { name, pooling: student.info.pooling });
    const { sizeBytes, pieces } = encodeOnnx(model, source.read);
    if (sizeBytes > limits.fileBytes) {
      throw new HearthError("model_unsupported", `${out} would have a file of ${formatBytes(sizeBytes)}.`, {
        hint: `An ONNX file has at most ${formatBytes(limits.fileBytes)}. Take a smaller student.`,
      });
    }
    const beside = [...files].filter(([file]) => copied.test(file));
    const total = beside.reduce((sum, [, from]) => sum + statSync(from).size, sizeBytes);
    await writeFolder({ path: out, sizeBytes: total, freeBytes }, async (folder) => {
      const weights = join(folder.path, "onnx", fileName(own));
      mkdirSync(dirname(weights));
      await writeFile(weights, pieces, signal);
      // What we wrote must be what we would read.
      readOnnx(weights, { name: out });
      await syncFolder(dirname(weights));
      for (const [file, from] of beside) {
        copyFileSync(from, join(folder.path, file));
        await syncFile(join(folder.path, file));
      }
      await folder.addTexts(new Map([["config.json", configOf(student, labels)]]));
    });
    return sizeBytes;
  } finally {
    source.close();
  }
}

async function writeFile(
  path: string,
  pieces: Parameters<typeof writePieces>[0],
  signal: AbortSignal | undefined,
): Promise<void> {
  const handle = await open(path, "wx");
  try {
    await writePieces(pieces, async (bytes) => {
      signal?.throwIfAborted();
      await handle.writeFile(bytes);
    });
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export interface StudentFiles {
  /** Path of the weights, and their name in the folder of the model. */
  readonly path: string;
  readonly own: string;
  /** Names relative to that folder → paths. */
  readonly files: ReadonlyMap<string, string>;
}

export function filesOf({ model }: Student): StudentFiles {
  const path = model.files.find(({ role }) => role === "weights")?.path;
  if (path === undefined) throw new HearthError("model_malformed", `"${model.name}" has no weights.`);
  return { path, ...modelFiles(path, model) };
}

/** Its end says the precision: `model_quantized.onnx`. */
function fileName(own: string): string {
  return /^model(_\w+)?\.onnx$/.test(basename(own)) ? basename(own) : "model.onnx";
}

/** Undefined: there is no such file. */
export function readStudentConfig(student: Student, name: string): Readonly<Record<string, unknown>> | undefined {
  const path = filesOf(student).files.get(name);
  if (path === undefined) return undefined;
  const value: unknown = parseJson(readFileSync(path, "utf8"));
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new HearthError("model_malformed", `${name} of ${student.model.name} holds no object.`, {
    details: { field: name },
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function configOf(student: Student, labels: readonly string[]): string {
  const { architectures, ...config } = readStudentConfig(student, "config.json") ?? {};
  const [first] = Array.isArray(architectures) ? architectures : [];
  const family = typeof first === "string" ? first.replace(/(?:Model|For[A-Z]\w*)$/, "") : "";
  const made = {
    ...config,
    architectures: [`${family === "" ? "Bert" : family}ForSequenceClassification`],
    problem_type: "single_label_classification",
    id2label: Object.fromEntries(labels.map((label, index) => [index, label])),
    label2id: Object.fromEntries(labels.map((label, index) => [label, index])),
  };
  return `${JSON.stringify(made, null, 2)}\n`;
}
