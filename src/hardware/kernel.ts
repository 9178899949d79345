/** A WebAssembly module that does nothing but read memory, 16 bytes at a time: as fast as an engine could. */

/** `\0asm` and the version. */
const magic = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const v128 = 0x7b;
const i32 = 0x7f;
const i64 = 0x7e;
const accumulators = 4;
const loadsPerTurn = 8;

/** Bytes that one turn of the loop reads; slices must be a multiple of it. */
export const turnBytes: number = loadsPerTurn * 16;

/**
 * Imports a shared memory as `m.m` and exports `sum(from: i32, to: i32): i64`, the sum of the 64-bit words in between.
 * The sum is there so that no compiler can leave the reads out. Encoding: WebAssembly 2.0, chapter 5.
 */
export function readKernel(maximumPages: number): Uint8Array<ArrayBuffer> {
  const shared = 3;
  return Uint8Array.from([
    ...magic,
    ...section(1, [1, 0x60, 2, i32, i32, 1, i64]),
    ...section(2, [1, ...name("m"), ...name("m"), 2, shared, ...unsigned(1), ...unsigned(maximumPages)]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...name("sum"), 0, 0]),
    ...section(10, [1, ...sized(body())]),
  ]);
}

function body(): number[] {
  const [from, to] = [0, 1];
  const local = (index: number): number => 2 + (index % accumulators);
  const load = (index: number): number[] =>
    [
      [...get(local(index)), ...get(from)],
      [0xfd, 0x00, 4, ...unsigned(index * 16)], // v128.load
      [0xfd, 0xce, 0x01, ...set(local(index))], // i64x2.add
    ].flat();
  const lane = (index: number): number[] =>
    [
      [...get(local(index >> 1)), 0xfd, 0x1d, index & 1], // i64x2.extract_lane
      index === 0 ? [] : [0x7c], // i64.add
    ].flat();
  return [
    [1, accumulators, v128],
    [0x03, 0x40], // loop
    range(loadsPerTurn).flatMap(load),
    [...get(from), 0x41, ...signed(turnBytes), 0x6a, ...set(from)], // from += turnBytes
    [...get(from), ...get(to), 0x49, 0x0d, 0, 0x0b], // while from < to
    range(2 * accumulators).flatMap(lane),
    [0x0b],
  ].flat();
}

function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}

function get(index: number): number[] {
  return [0x20, index];
}

function set(index: number): number[] {
  return [0x21, index];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...sized(content)];
}

function sized(content: readonly number[]): number[] {
  return [...unsigned(content.length), ...content];
}

function name(text: string): number[] {
  return sized([...Buffer.from(text)]);
}

/** LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  return [...bytes, rest];
}

/** LEB128 with a sign bit, for values that are not negative. */
function signed(value: number): number[] {
  const bytes = unsigned(value);
  const last = bytes.at(-1) ?? 0;
  return last & 0x40 ? [...bytes.slice(0, -1), last | 0x80, 0] : bytes;
}
