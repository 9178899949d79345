import { setFlagsFromString } from "node:v8";
import { inject } from "vitest";
import type { FunctionCode } from "../code.ts";
import { constantsEnd, writeConstants } from "../constants.ts";
import { encodeModule } from "../module.ts";
import { currentLevel } from "../simd.ts";

export interface Kernels {
  readonly memory: WebAssembly.Memory;
  readonly bytes: Uint8Array;
  readonly floats: Float32Array;
  readonly ints: Int32Array;
  readonly halves: Float16Array;
  call(name: string, ...args: number[]): void;
  /** Address of a place of so many bytes, at a cache line. */
  place(bytes: number): number;
  /** Writes numbers as float32 and gives their address. */
  write(values: ArrayLike<number>): number;
  /** The float32 numbers at an address. */
  read(address: number, count: number): Float32Array;
}

/** Both ways of compiling: 128-bit vectors only, and neighbouring ones merged into 256 bits (where the processor has them). */
export const compilations: readonly { readonly name: string; readonly merge: boolean }[] = [
  { name: "128-bit vectors", merge: false },
  { name: "merged vectors", merge: true },
];

/** Functions with a memory of their own. */
export function instantiate(functions: readonly FunctionCode[], merge = false, pages = 64): Kernels {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: 65_536, shared: true });
  writeConstants(memory);
  const module = compile(functions, merge);
  const instance = new WebAssembly.Instance(module, { memory: { "0": memory } });
  const floats = new Float32Array(memory.buffer);
  let next = constantsEnd;
  const place = (bytes: number): number => {
    const address = next;
    next = Math.ceil((address + bytes) / 64) * 64;
    if (next > memory.buffer.byteLength) throw new RangeError("the memory of the test is too small");
    return address;
  };
  return {
    memory,
    bytes: new Uint8Array(memory.buffer),
    floats,
    ints: new Int32Array(memory.buffer),
    halves: new Float16Array(memory.buffer),
    call: (name, ...args) => {
      const exported = instance.exports[name];
      if (typeof exported !== "function") throw new Error(`no function ${name}`);
      exported(...args);
    },
    place,
    write: (values) => {
      const address = place(values.length * 4);
      floats.set(values, address / 4);
      return address;
    },
    read: (address, count) => floats.slice(address / 4, address / 4 + count),
  };
}

declare module "vitest" {
  interface ProvidedContext {
    readonly alone?: boolean;
  }
}

const modules = new Map<string, WebAssembly.Module>();

/** A name stands for the same code throughout a test file. */
function compile(functions: readonly FunctionCode[], merge: boolean): WebAssembly.Module {
  const key = [merge, currentLevel(), ...functions.map(({ name }) => name)].join();
  const known = modules.get(key);
  if (known) return known;
  // The flags below hold for the process, and names for one file.
  if (inject("alone") !== true) throw new Error("name this file in the list `alone` of vitest.config.ts");
  setFlagsFromString(merge ? "--experimental-wasm-revectorize" : "--no-experimental-wasm-revectorize");
  setFlagsFromString("--no-liftoff");
  // V8 keeps code by the bytes of its module, so the two ways need different ones: a section that says which.
  const section = [0, 2, 1, merge ? 0x31 : 0x30];
  const module = new WebAssembly.Module(Uint8Array.from([...encodeModule({ memories: 1, functions }), ...section]));
  modules.set(key, module);
  return module;
}

/** Numbers that look random and are the same every time, from -size to size. */
export function randomNumbers(count: number, size = 1, seed = 1): Float32Array {
  let state = seed * 2_654_435_761;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state / 2 ** 31) * size;
  });
}

/** The largest difference, relative to the larger of the expected value and `floor`. */
export function largestError(actual: ArrayLike<number>, expected: ArrayLike<number>, floor = 1e-30): number {
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i] ?? NaN, expected[i] ?? NaN];
    if (Object.is(a, e) || a === e) continue;
    const error = Math.abs(a - e) / Math.max(Math.abs(e), floor);
    if (!(error <= largest)) largest = Number.isNaN(error) ? Infinity : error;
  }
  return largest;
}
