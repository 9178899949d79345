/** The memory that training computes in, and its kernels as one thread sees them. Places are byte addresses. */
import { constantsEnd, writeConstants } from "../../engines/flint/kernels/wasm/constants.ts";
import { encodeModule, mostPages } from "../../engines/flint/kernels/wasm/module.ts";
import { atLevel, detectLevel } from "../../engines/flint/kernels/wasm/simd.ts";
import { trainKernels } from "./kernels.ts";

export interface Machine {
  readonly memory: WebAssembly.Memory;
  /** All of the memory. */
  readonly floats: Float32Array;
  /** Runs a kernel; some give a number. */
  call(name: string, ...args: number[]): number;
}

const pageBytes = 65_536;

/** Most bytes that a memory has. */
export const mostBytes: number = mostPages * pageBytes;

export function createTrainModule(): WebAssembly.Module {
  const level = detectLevel() ?? "plain";
  return new WebAssembly.Module(atLevel(level, () => encodeModule({ memories: 1, functions: trainKernels() })));
}

/** RangeError: more than a memory holds, or than the system gives. */
export function createTrainMemory(bytes: number): WebAssembly.Memory {
  const memory = new WebAssembly.Memory({
    initial: Math.ceil(bytes / pageBytes),
    maximum: mostPages,
    shared: true,
  });
  writeConstants(memory);
  return memory;
}

export function createMachine(module: WebAssembly.Module, memory: WebAssembly.Memory): Machine {
  const { exports } = new WebAssembly.Instance(module, { memory: { "0": memory } });
  const kernels = new Map(Object.entries(exports) as [string, (...args: number[]) => number][]);
  return {
    memory,
    floats: new Float32Array(memory.buffer),
    call(name, ...args) {
      const kernel = kernels.get(name);
      if (!kernel) throw new RangeError(`no kernel ${name}`);
      return kernel(...args);
    },
  };
}

/** Gives out places one after the other, each at the begin of a cache line. */
export interface Ground {
  /** Address of a place for so many floats. */
  take(floats: number): number;
  /** Bytes in use. */
  end(): number;
}

export function createGround(start: number = constantsEnd): Ground {
  let next = Math.ceil(start / 64) * 64;
  return {
    take(floats) {
      const address = next;
      next += Math.ceil(floats / 16) * 64;
      return address;
    },
    end: () => next,
  };
}
