/**
 * Loops over floats. Two neighbouring vectors are treated side by side: the compiler merges them into one of 256 bits
 * where the processor has those.
 */
import type { Code, Local, Scope } from "./code.ts";
import { loopWhile, sequence, when } from "./code.ts";
import { f32x4, i32, i8x16, v128 } from "./instructions.ts";

/** Vectors that are treated side by side, and the floats and bytes of such a pair. */
export const halves = [0, 1] as const;
export const pairFloats = 8;
export const pairBytes = 32;

/** The item at an index that exists. */
export function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new RangeError(`no item ${index} of ${items.length}`);
  return item;
}

/**
 * Sets a variable to an address some bytes on. V8 does not fold the offset of a load that splats or extends into the
 * instruction; it keeps the sum of memory and offset, often on the stack. In hot loops such a load comes cheaper with an
 * address of its own; two that are to be merged must read the same variable.
 */
export function moveTo(target: Local, pointer: Local, bytes: number): Code {
  return target.set(bytes === 0 ? pointer.get : i32.add(pointer.get, i32.const(bytes)));
}

export function advance(pointers: readonly Local[], bytes: number): Code {
  return pointers.flatMap((pointer) => pointer.set(i32.add(pointer.get, i32.const(bytes))));
}

export function lessOne(count: Local): Code {
  return count.tee(i32.sub(count.get, i32.const(1)));
}

/** Runs the body as often as the count says, also never; the count is 0 afterwards. */
export function repeat(count: Local, body: Code): Code {
  return when(count.get, loopWhile(body, lessOne(count)));
}

export interface MapOptions {
  readonly inputs: readonly Local[];
  readonly output: Local;
  /** Floats, any number. */
  readonly count: Local;
}

/** output[i] = apply(inputs[0][i], inputs[1][i] …). Changes the given variables. The output may be one of the inputs. */
export function mapFloats(scope: Scope, options: MapOptions, apply: (values: readonly Code[]) => Code): Code {
  const { inputs, output, count } = options;
  const values = inputs.map(() => scope.locals("v128", 2));
  const pairs = scope.local("i32");
  const applied = (h: number): Code => apply(values.map((value) => at(value, h).get));
  const pair = sequence(
    ...inputs.flatMap((input, index) => halves.map((h) => at(at(values, index), h).set(v128.load(input.get, h * 16)))),
    ...halves.map((h) => v128.store(output.get, applied(h), h * 16)),
    advance([...inputs, output], pairBytes),
  );
  const single = sequence(
    ...inputs.map((input, index) => at(at(values, index), 0).set(v128.load32zero(input.get))),
    v128.store32lane(output.get, applied(0), 0),
    advance([...inputs, output], 4),
  );
  return sequence(
    pairs.set(i32.shrU(count.get, i32.const(3))),
    count.set(i32.and(count.get, i32.const(7))),
    repeat(pairs, pair),
    repeat(count, single),
  );
}

export interface PairLoop {
  readonly pairs: number;
  readonly pointers: readonly Local[];
  readonly count: Local;
}

/**
 * Runs the body for each pair of vectors, a known number; several pairs at a time if that comes out even. The body gets
 * the byte offset from the pointers and the number of its chain, 0 to 3: what it sums should go to a sum of that number.
 */
export function forPairs({ pairs, pointers, count }: PairLoop, body: (offset: number, chain: number) => Code): Code {
  const unrolled = [4, 2].find((by) => pairs % by === 0) ?? 1;
  if (pairs === 0) return [];
  const steps = Array.from({ length: unrolled }, (_, index) => body(index * pairBytes, index));
  return sequence(
    count.set(i32.const(pairs / unrolled)),
    repeat(count, sequence(...steps, advance(pointers, unrolled * pairBytes))),
  );
}

type Combine = (a: Code, b: Code) => Code;

/** All four lanes combined, in every lane. The vector is changed. */
export function acrossLanes(vector: Local, combine: Combine): Code {
  const other = [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7];
  const neighbour = [4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11];
  return sequence(
    vector.set(combine(vector.get, i8x16.shuffle(vector.get, vector.get, other))),
    combine(vector.get, i8x16.shuffle(vector.get, vector.get, neighbour)),
  );
}

/**
 * Combines pairs of vectors into one float. They pass through 32 bytes of memory: the compiler looks for pairs that end
 * in stores.
 */
export function combinePairs(
  pairs: readonly Local[][],
  memory: Code,
  { scope, combine }: { scope: Scope; combine: Combine },
): Code {
  const total = scope.local("v128");
  const half = (h: number): Code => pairs.map((pair) => at(pair, h).get).reduce((sum, one) => combine(sum, one));
  return sequence(
    ...halves.map((h) => v128.store(memory, half(h), h * 16)),
    total.set(combine(v128.load(memory, 0), v128.load(memory, 16))),
    f32x4.extract(acrossLanes(total, combine), 0),
  );
}
