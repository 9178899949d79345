import { closeSync, fstatSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { HearthError } from "../../error.ts";
import { fault } from "./fault.ts";
import { graphsOf } from "./check-functions.ts";
import type { DataPlace, ReadData } from "./data.ts";
import { parseOnnx } from "./parse.ts";
import type { OnnxParseOptions } from "./parse.ts";
import type { OnnxAttribute, OnnxGraph, OnnxModel, OnnxNode, OnnxTensor } from "./types.ts";

export type OnnxReadOptions = Partial<OnnxParseOptions>;

/** A model that was accepted, open so that elements of its tensors can be read. */
export interface OpenOnnx {
  readonly model: OnnxModel;
  readonly path: string;
  readonly fileBytes: number;
  /** Paths of the files beside it that hold tensors, by what the model calls them. */
  readonly external: ReadonlyMap<string, string>;
  readonly read: ReadData;
  readonly close: () => void;
}

/**
 * Reads and checks a model. Files with its tensors must be below its folder, and not be links that lead out. Throws
 * `model_not_found`, `model_malformed` with details {field}, and `model_unsupported`.
 */
export function openOnnx(path: string, options: OnnxReadOptions = {}): OpenOnnx {
  const name = options.name ?? basename(path);
  const files = new OpenFiles(name);
  try {
    const descriptor = files.open("", path);
    const fileBytes = fstatSync(descriptor).size;
    const source = {
      sizeBytes: fileBytes,
      read: (offset: number, target: Uint8Array) => files.read({ offset }, target),
    };
    const model = parseOnnx(source, { ...options, name });
    const external = openExternal(model, { path, name, files });
    return {
      model,
      path,
      fileBytes,
      external,
      read: (place, target) => files.read(place, target),
      close: () => files.close(),
    };
  } catch (error) {
    files.close();
    throw error;
  }
}

/** Checks a model and reads no elements. */
export function readOnnx(path: string, options?: OnnxReadOptions): OnnxModel {
  const { model, close } = openOnnx(path, options);
  close();
  return model;
}

class OpenFiles {
  private readonly name: string;
  private readonly descriptors = new Map<string, number>();

  constructor(name: string) {
    this.name = name;
  }

  /** `location`: what the model calls the file; "" is its own. */
  open(location: string, path: string): number {
    const label = location === "" ? this.name : location;
    // Asked first: to open a named pipe would wait for a writer.
    const found = statSync(path, { throwIfNoEntry: false });
    if (!found) throw new HearthError("model_not_found", `There is no file ${label}.`);
    if (!found.isFile()) {
      throw new HearthError("model_malformed", `${label} is not a file.`, { hint: "Name a model file." });
    }
    const descriptor = openSync(path, "r");
    this.descriptors.set(location, descriptor);
    return descriptor;
  }

  read({ location = "", offset }: DataPlace, target: Uint8Array): void {
    const descriptor = this.descriptors.get(location);
    if (descriptor === undefined) throw new RangeError(`${location} is not open`);
    for (let done = 0; done < target.length;) {
      const count = readSync(descriptor, target, done, target.length - done, offset + done);
      if (count === 0)
        throw fault(location || this.name, "data", `ends at byte ${offset + done}, before its tensors do`);
      done += count;
    }
  }

  close(): void {
    for (const descriptor of this.descriptors.values()) closeSync(descriptor);
    this.descriptors.clear();
  }
}

interface Beside {
  readonly path: string;
  readonly name: string;
  readonly files: OpenFiles;
}

function openExternal(model: OnnxModel, { path, name, files }: Beside): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const sizes = new Map<string, number>();
  for (const tensor of allTensors(model)) {
    if (tensor.data.kind !== "external") continue;
    const { location, offset, length } = tensor.data;
    if (!found.has(location)) {
      const place = placeOf(location, { path, name });
      sizes.set(location, fstatSync(files.open(location, place)).size);
      found.set(location, place);
    }
    const size = sizes.get(location) ?? 0;
    if (offset + length > size) {
      throw fault(name, tensor.name, `needs bytes ${offset} to ${offset + length} of ${location}, which has ${size}`);
    }
  }
  return found;
}

/** Where a file of tensors is: in the model's folder, or, as in the hub's cache, where the links of both lead. */
function placeOf(location: string, { path, name }: Pick<Beside, "path" | "name">): string {
  const folder = dirname(path);
  const place = join(folder, location);
  if (!statSync(place, { throwIfNoEntry: false })) {
    throw new HearthError("model_malformed", `${name} has tensors in ${location}, which is not beside it.`, {
      hint: "Fetch this file into the same folder.",
      details: { field: location },
    });
  }
  const real = realpathSync(place);
  if (real.startsWith(`${realpathSync(folder)}${sep}`) || dirname(real) === dirname(realpathSync(path))) return place;
  throw new HearthError("model_malformed", `${location} is a link that leads out of the folder of ${name}.`, {
    hint: "Put the file itself beside the model.",
    details: { field: location },
  });
}

/** Tensors of all graphs and functions: initializers, and attributes. */
export function* allTensors(model: OnnxModel): Generator<OnnxTensor> {
  yield* graphTensors(model.graph);
  for (const { nodes, defaults } of model.functions) {
    yield* attributeTensors(defaults.values());
    yield* nodeTensors(nodes);
  }
}

function* graphTensors({ initializers, sparseInitializers, nodes }: OnnxGraph): Generator<OnnxTensor> {
  yield* initializers.values();
  for (const { values, indices } of sparseInitializers) yield* [values, indices];
  yield* nodeTensors(nodes);
}

function* nodeTensors(nodes: readonly OnnxNode[]): Generator<OnnxTensor> {
  for (const node of nodes) {
    yield* attributeTensors(node.attributes.values());
    for (const graph of graphsOf(node)) yield* graphTensors(graph);
  }
}

function* attributeTensors(attributes: Iterable<OnnxAttribute>): Generator<OnnxTensor> {
  for (const attribute of attributes) {
    if (attribute.kind === "tensor") yield attribute.value;
    else if (attribute.kind === "tensors") yield* attribute.value;
    else if (attribute.kind === "sparse-tensor") yield* [attribute.value.values, attribute.value.indices];
    else if (attribute.kind === "sparse-tensors")
      for (const item of attribute.value) yield* [item.values, item.indices];
  }
}
