/** The memory in which weights are quantized, and the kernels that work in it. */
import type { FunctionCode } from "../../kernels/wasm/code.ts";
import { writeConstants } from "../../kernels/wasm/constants.ts";
import { encodeModule } from "../../kernels/wasm/module.ts";
import { quadEnd, quadGroups } from "../../kernels/wasm/quantize/quad.ts";
import { atLevel, detectLevel } from "../../kernels/wasm/simd.ts";
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
  /** Each kernel is compiled when it is first asked for. */
  readonly kernel: (name: string, write: () => FunctionCode) => Kernel;
}

/** Groups of other rows or of nothing that the last quad of a row may take in. */
const slack = 128;

export function createWorkspace(capacity: number): Workspace {
  const places = placesFor(capacity);
  const memory = new WebAssembly.Memory({ initial: Math.ceil(places.end / 65_536), maximum: 65_536, shared: true });
  writeConstants(memory);
  const floats = (at: number, length: number): Float32Array => new Float32Array(memory.buffer, at, length);
  const most = Math.ceil(capacity / 16);
  return {
    memory,
    places,
    kernel: kernelsOf(memory),
    weights: floats(places.weights, capacity + slack),
    source: new Uint8Array(memory.buffer, places.source, capacity * 4),
    groups: {
      scales: floats(places.scales, most),
      seconds: floats(places.seconds, most),
      inverses: floats(places.inverses, most),
      offsets: floats(places.offsets, most),
      codes: new Uint8Array(memory.buffer, places.codes, capacity),
    },
  };
}

function kernelsOf(memory: WebAssembly.Memory): Workspace["kernel"] {
  const known = new Map<string, Kernel>();
  const level = detectLevel() ?? "plain";
  return (name, write) => {
    const found = known.get(name);
    if (found) return found;
    const module = new WebAssembly.Module(encodeModule({ memories: 1, functions: [atLevel(level, write)] }));
    const kernel = new WebAssembly.Instance(module, { memory: { "0": memory } }).exports[name] as Kernel;
    known.set(name, kernel);
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
