/** The memory in which weights are quantized, and the kernels that work in it. */
import { writeConstants } from "../../kernels/wasm/constants.ts";
import { quadEnd, quadGroups } from "../../kernels/wasm/quantize/quad.ts";
import type { KernelWriter } from "./kernels.ts";
import { writeModule } from "./kernels.ts";
import type { Groups } from "./recipe.ts";

type Kernel = (...parameters: number[]) => void;

/** Addresses. */
export type Places = Readonly<
  Record<"weights" | "importance" | "source" | "scales" | "seconds" | "inverses" | "offsets" | "codes", number>
>;

export interface Workspace {
  readonly memory: WebAssembly.Memory;
  readonly places: Places;
  readonly weights: Float32Array;
  readonly source: Uint8Array;
  readonly groups: Groups;
  /** One that is not there yet is compiled. */
  readonly kernel: (writer: KernelWriter) => Kernel;
}

/** Groups of other rows or of nothing that the last quad of a row may take in. */
const slack = 128;

export function createWorkspace(capacity: number, module?: WebAssembly.Module): Workspace {
  const places = placesFor(capacity);
  const memory = new WebAssembly.Memory({ initial: Math.ceil(places.end / 65_536), maximum: 65_536, shared: true });
  writeConstants(memory);
  const floats = (at: number, length: number): Float32Array => new Float32Array(memory.buffer, at, length);
  const most = Math.ceil(capacity / 16);
  return {
    memory,
    places,
    kernel: kernelsOf(memory, module),
    weights: floats(places.weights, capacity + slack),
    source: new Uint8Array(memory.buffer, places.source, capacity * 4),
    groups: {
      scales: floats(places.scales, most),
      seconds: floats(places.seconds, most),
      inverses: floats(places.inverses, most),
      offsets: floats(places.offsets, most),
      codes: new Int32Array(memory.buffer, places.codes, Math.ceil(capacity / 4)),
    },
  };
}

function kernelsOf(memory: WebAssembly.Memory, module: WebAssembly.Module | undefined): Workspace["kernel"] {
  const known = new Map<string, Kernel>();
  const add = (from: WebAssembly.Module): void => {
    const { exports } = new WebAssembly.Instance(from, { memory: { "0": memory } });
    for (const [name, kernel] of Object.entries(exports)) known.set(name, kernel as Kernel);
  };
  if (module) add(module);
  return ([name, write]) => {
    if (!known.has(name)) add(new WebAssembly.Module(writeModule([write])));
    const kernel = known.get(name);
    if (!kernel) throw new Error(`no kernel ${name}`);
    return kernel;
  };
}

function placesFor(capacity: number): Places & { readonly end: number } {
  let next = quadEnd;
  const place = (bytes: number): number => {
    const at = next;
    next = Math.ceil((at + bytes) / 64) * 64;
    return at;
  };
  const groupBytes = (Math.ceil(capacity / 16) + quadGroups) * 4;
  return {
    weights: place((capacity + slack) * 4),
    importance: place((capacity + slack) * 4),
    source: place(capacity * 4),
    scales: place(groupBytes),
    seconds: place(groupBytes),
    inverses: place(groupBytes),
    offsets: place(groupBytes),
    codes: place(capacity),
    end: place(0),
  };
}
