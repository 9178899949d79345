/** Tensors from files: .npy, .npz, or JSON in the words of KServe's protocol. */
import { HearthError } from "../../error.ts";
import { parseNpz } from "../../formats/npy/archive.ts";
import { parseNpy } from "../../formats/npy/parse.ts";
import { tensorFromJson, type JsonTensor } from "../../formats/tensor-json.ts";
import type { Tensor } from "../../spec/media.ts";
import type { Input } from "../../terminal/io.ts";
import { readInput } from "./picture.ts";

type Tensors = Record<string, Tensor>;

/** `NAME=FILE.npy` …, or one file that holds them all. Throws `usage` and `bad_request`. */
export async function readTensors(words: readonly string[], stdin: Input): Promise<Tensors> {
  const [only = ""] = words;
  if (words.length === 1 && !only.includes("=")) return await readAll(only, stdin);
  const tensors: Tensors = {};
  for (const word of words) {
    const at = word.indexOf("=");
    if (at <= 0) throw new HearthError("usage", `"${word}" is no input: write NAME=FILE.npy.`);
    tensors[word.slice(0, at)] = parseNpy(await readInput(word.slice(at + 1), stdin), word);
  }
  return tensors;
}

async function readAll(path: string, stdin: Input): Promise<Tensors> {
  const bytes = await readInput(path, stdin);
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) return Object.fromEntries(parseNpz(bytes, path));
  return fromJson(new TextDecoder().decode(bytes), path);
}

function fromJson(text: string, path: string): Tensors {
  const inputs = parse(text, path);
  return Object.fromEntries(inputs.map((input) => [input.name, tensorFromJson(input)]));
}

function parse(text: string, path: string): readonly JsonTensor[] {
  const hint = 'Write {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}]}.';
  const wrong = (): HearthError => new HearthError("bad_request", `${path} holds no inputs.`, { hint });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrong();
  }
  const inputs = typeof value === "object" && value !== null && "inputs" in value ? value.inputs : undefined;
  if (!Array.isArray(inputs) || !inputs.every(isTensor)) throw wrong();
  return inputs;
}

function isTensor(value: unknown): value is JsonTensor {
  if (typeof value !== "object" || value === null) return false;
  const { name, shape, datatype, data } = value as Record<string, unknown>;
  return typeof name === "string" && typeof datatype === "string" && Array.isArray(shape) && Array.isArray(data);
}
