/** Inputs that a person gives: `.npy`, `.npz` and `.jsonl` files, or a folder of them. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, extname, join } from "node:path";
import type { Port, Tensors } from "../../engines/onnx/session.ts";
import { HearthError } from "../../error.ts";
import { parseNpz } from "../../formats/npy/archive.ts";
import { parseNpy } from "../../formats/npy/parse.ts";
import { isNumberType } from "../../formats/tensor.ts";
import type { NumberType, Tensor } from "../../formats/tensor.ts";
import type { Samples } from "./contract.ts";
import { convert, fromNested } from "./samples-tensor.ts";

const kinds: ReadonlySet<string> = new Set([".npy", ".npz", ".jsonl"]);

/** What a model gets, one run after the other. Throws `bad_request` for what does not fit its inputs. */
export function* readSamples(samples: Samples, inputs: readonly Port[]): Generator<Tensors> {
  if (samples.kind === "made") {
    yield* samples.feeds;
    return;
  }
  let count = 0;
  for (const path of listFiles(samples.path)) {
    for (const feeds of readFile(path, inputs)) {
      yield feeds;
      if (++count >= samples.most) return;
    }
  }
  if (count === 0) throw fault(samples.path, "has no samples");
}

function listFiles(path: string): readonly string[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new HearthError("not_found", `There is no file ${path}.`, { hint: "Check the path." });
  if (!found.isDirectory()) return [path];
  const names = readdirSync(path).filter((name) => kinds.has(extname(name).toLowerCase()));
  if (names.length === 0) throw fault(path, "has no .npy, .npz or .jsonl files");
  return names.toSorted().map((name) => join(path, name));
}

function readFile(path: string, inputs: readonly Port[]): Iterable<Tensors> {
  const name = basename(path);
  switch (extname(path).toLowerCase()) {
    case ".npz":
      return slices(parseNpz(readFileSync(path), name), inputs, name);
    case ".npy": {
      const [input] = inputs;
      if (!input || inputs.length > 1) {
        const names = inputs.map((port) => port.name).join(", ");
        throw fault(name, `has one array, but the model has the inputs ${names}; give a .npz with these names`);
      }
      return slices(new Map([[input.name, parseNpy(readFileSync(path), name)]]), inputs, name);
    }
    case ".jsonl":
      return readLines(path, inputs);
    default:
      throw fault(name, "is no .npy, .npz or .jsonl file");
  }
}

/** The first dimension of an array counts samples, in groups of as many as the model takes at once. */
function* slices(arrays: ReadonlyMap<string, Tensor>, inputs: readonly Port[], file: string): Generator<Tensors> {
  const rows = inputs.map((port) => {
    const array = arrays.get(port.name);
    if (!array) throw fault(file, `has no array for the input ${port.name}`);
    return { port, parts: split(array, port, file) };
  });
  const count = rows[0]?.parts.length ?? 0;
  const other = rows.find(({ parts }) => parts.length !== count);
  if (other)
    throw fault(file, `has ${other.parts.length} samples of ${other.port.name}, but ${count} of the first input`);
  for (let index = 0; index < count; index++) {
    yield Object.fromEntries(rows.map(({ port, parts }) => [port.name, parts[index] as Tensor]));
  }
}

function split(array: Tensor, port: Port, file: string): readonly Tensor[] {
  const type = numberTypeOf(port, file);
  const rank = port.shape.length;
  const [first = 1, ...rest] = array.shape;
  if (array.shape.length === rank - 1) return [convert({ ...array, shape: [1, ...array.shape] }, type)];
  if (array.shape.length !== rank && array.shape.length !== rank + 1) {
    throw fault(file, `has ${array.shape.length} dimensions for ${port.name}, which has ${rank}`);
  }
  const isList = array.shape.length === rank + 1;
  const group = !isList && typeof port.shape[0] === "number" ? port.shape[0] : 1;
  if (group < 1 || first % group !== 0)
    throw fault(file, `has ${first} samples of ${port.name}, which takes ${group} at once`);
  const size = rest.reduce((product, length) => product * length, 1) * group;
  const shape = isList ? rest : [group, ...rest];
  return Array.from({ length: first / group }, (_, index) =>
    convert({ type: array.type, shape, data: array.data.slice(index * size, (index + 1) * size) }, type),
  );
}

function* readLines(path: string, inputs: readonly Port[]): Generator<Tensors> {
  const lines = readFileSync(path, "utf8").split("\n");
  for (const [index, line] of lines.entries()) {
    if (line.trim() === "") continue;
    const file = `${basename(path)}:${index + 1}`;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      throw new HearthError("bad_request", `${file} is not JSON.`, { cause: error });
    }
    yield Object.fromEntries(
      inputs.map((port) => {
        const nested = (value as Readonly<Record<string, unknown>> | null)?.[port.name];
        if (nested === undefined) throw fault(file, `says nothing of the input ${port.name}`);
        return [port.name, fromNested(nested, { type: numberTypeOf(port, file), rank: port.shape.length, file })];
      }),
    );
  }
}

function numberTypeOf({ name, type }: Port, file: string): NumberType {
  if (type !== undefined && isNumberType(type)) return type;
  throw fault(file, `cannot hold the input ${name}, which has ${type ?? "no"} elements`);
}

function fault(name: string, problem: string): HearthError {
  return new HearthError("bad_request", `${name} ${problem}.`, {
    hint: "Give .npz files of arrays with the names of the model's inputs, or lines of JSON with such fields.",
    details: { file: name },
  });
}
