import { open, stat } from "node:fs/promises";
import { basename } from "node:path";
import { HearthError } from "../error.ts";
import type { Format } from "../spec/model.ts";

/**
 * The format of a model file by its first bytes, never by its name; undefined for anything unknown. Throws
 * `model_malformed` for what is known to be no model that may be opened (pickle, ZIP, HDF5, a web page …) and
 * `model_unsupported` for formats of the past.
 */
export async function detectFormat(path: string): Promise<Format | undefined> {
  const found = await stat(path);
  if (!found.isFile()) return undefined;
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(64), 0, 64, 0);
    return detectBytes(buffer.subarray(0, bytesRead), found.size, basename(path));
  } finally {
    await file.close();
  }
}

/** The same for the first 64 bytes of a file of `fileBytes`. */
export function detectBytes(head: Uint8Array, fileBytes: number, name: string): Format | undefined {
  const text = String.fromCharCode(...head);
  if (text.startsWith("GGUF")) return "gguf";
  if (text.slice(4, 8) === "TFL3") return "tflite";
  refuse(text, name);
  if (isSafetensors(head, fileBytes)) return "safetensors";
  if (isOnnx(head)) return "onnx";
  return undefined;
}

interface Foreign {
  readonly starts: readonly string[];
  readonly what: string;
  readonly hint: string;
}

/** Starts of files that people mistake for models, in lower case, and what they are. */
const foreign: readonly Foreign[] = [
  {
    starts: ["pk\u0003\u0004", "pk\u0005\u0006"],
    what: "a ZIP archive, as PyTorch and Keras write it",
    hint: "Such files can carry programs and are never opened. Look for the model as GGUF.",
  },
  {
    starts: ["\u0080\u0002", "\u0080\u0003", "\u0080\u0004", "\u0080\u0005"],
    what: "a Python pickle",
    hint: "Pickles run programs when they are opened, so hearth never opens them. Look for the model as GGUF.",
  },
  { starts: ["\u0089hdf"], what: "an HDF5 file, as Keras writes it", hint: "Look for the model as GGUF." },
  { starts: ["\u001f\u008b"], what: "a gzip archive", hint: "Unpack it and give the model inside." },
  {
    starts: ["version https://git-lfs"],
    what: "a Git LFS pointer, not the model",
    hint: "Fetch the file itself with `git lfs pull` or `hearth pull`.",
  },
  {
    starts: ["<!doctype", "<html", "<?xml"],
    what: "a web page, not a model",
    hint: "The download went wrong; fetch the model again.",
  },
];

const former: Readonly<Record<string, string>> = { lmgg: "ggml", fmgg: "ggmf", tjgg: "ggjt", algg: "ggla" };

function refuse(text: string, name: string): void {
  const lower = text.trimStart().toLowerCase();
  const match = foreign.find(({ starts }) => starts.some((start) => lower.startsWith(start)));
  if (match) {
    throw new HearthError("model_malformed", `${name} is ${match.what}.`, {
      hint: match.hint,
      details: { field: "magic", offset: 0 },
    });
  }
  const old = former[text.slice(0, 4)];
  if (old) {
    throw new HearthError("model_unsupported", `${name} has the format "${old}", which GGUF replaced.`, {
      hint: "Fetch the model as GGUF.",
    });
  }
}

/** A header length of 8 bytes, then JSON. */
function isSafetensors(head: Uint8Array, fileBytes: number): boolean {
  if (head.length < 10 || head[8] !== 0x7b) return false;
  const length = new DataView(head.buffer, head.byteOffset).getBigUint64(0, true);
  return length >= 2n && length <= BigInt(fileBytes - 8) && length <= 100_000_000n;
}

/** Protobuf fields of an ONNX ModelProto that may follow the version: names, domain, graph, operator sets. */
const onnxTags: ReadonlySet<number | undefined> = new Set([0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42]);

/** A protobuf message whose first field is the version of the format, a small number. */
function isOnnx(head: Uint8Array): boolean {
  const version = head[1] ?? 0;
  return head[0] === 0x08 && version >= 1 && version <= 64 && onnxTags.has(head[2]);
}
