/** Writes a WebAssembly module: functions over imported shared memories. https://webassembly.github.io/spec/core/binary/modules.html */
import type { FunctionCode, ValueType } from "./code.ts";
import { unsigned } from "./leb.ts";

const valueTypes: Readonly<Record<ValueType, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };

/** Pages of 64 KiB of the largest memory a 32-bit address reaches. */
export const mostPages = 65_536;

export interface ModuleCode {
  /** Memories, imported as `memory.0`, `memory.1` …; all shared, up to 4 GiB. */
  readonly memories: number;
  readonly functions: readonly FunctionCode[];
}

/** The bytes of a module that exports each function under its name. */
export function encodeModule({ memories, functions }: ModuleCode): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ params, results }) => [0x60, ...typeList(params), ...typeList(results)]);
  const imports = Array.from({ length: memories }, (_, index) => [
    ...text("memory"),
    ...text(String(index)),
    0x02,
    0x03,
    ...unsigned(0),
    ...unsigned(mostPages),
  ]);
  const exports = functions.map(({ name }, index) => [...text(name), 0x00, ...unsigned(index)]);
  return concatenate([
    [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    section(1, types),
    section(2, imports),
    section(
      3,
      functions.map((_, index) => unsigned(index)),
    ),
    section(7, exports),
    section(10, functions.map(functionBody)),
  ]);
}

function concatenate(parts: readonly ArrayLike<number>[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function typeList(types: readonly ValueType[]): number[] {
  return [...unsigned(types.length), ...types.map((type) => valueTypes[type])];
}

function text(value: string): number[] {
  const bytes = new TextEncoder().encode(value);
  return [...unsigned(bytes.length), ...bytes];
}

function section(id: number, items: readonly ArrayLike<number>[]): Uint8Array {
  const content = concatenate([unsigned(items.length), ...items]);
  return concatenate([[id], unsigned(content.length), content]);
}

function functionBody({ locals, body }: FunctionCode): Uint8Array {
  const declared = locals.flatMap((type) => [1, valueTypes[type]]);
  const content = concatenate([unsigned(locals.length), declared, body, [0x0b]]);
  return concatenate([unsigned(content.length), content]);
}
