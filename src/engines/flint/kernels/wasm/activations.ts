/** Quantizes rows of activations to int8 with a scale for each block of 32, as coded matrices want them (`weights/layout.ts`). */
import { activationRecord, blockWidth, superActivation, superWidth } from "../../weights/layout.ts";
import type { Code, FunctionCode, Local } from "./code.ts";
import { func, loopWhile, sequence } from "./code.ts";
import { f32, f32x4, i8x16, i16x8, i32, i32x4, v128 } from "./instructions.ts";
import { advance } from "./lanes.ts";

/** (x, out, k): a row of k float32, the quantized row, k a multiple of 32. */
export function quantizeRow(): FunctionCode {
  return func("quantize", (scope) => {
    const x = scope.param("i32");
    const out = scope.param("i32");
    const k = scope.param("i32");
    const record = scope.local("i32");
    const end = scope.local("i32");
    const values = scope.locals("v128", 8);
    const narrow = scope.locals("v128", 4);
    const most = scope.local("v128");
    const largest = scope.local("f32");
    const inverse = scope.local("v128");
    const sums = scope.locals("v128", 2);
    const block = sequence(
      ...values.map((value, index) => value.set(v128.load(x.get, index * 16))),
      most.set(largestOf(values)),
      largest.set(f32x4.extract(horizontal(most, f32x4.max), 0)),
      inverse.set(f32x4.splat(inverseOf(largest))),
      ...narrow.map((vector, index) =>
        vector.set(i16x8.narrow32s(rounded(values[2 * index], inverse), rounded(values[2 * index + 1], inverse))),
      ),
      v128.store(out.get, i8x16.narrow16s(get(narrow[0]), get(narrow[1]))),
      v128.store(out.get, i8x16.narrow16s(get(narrow[2]), get(narrow[3])), 16),
      ...[0, 1].map((half) => halfSum(get(sums[half] && narrow[2 * half]), get(narrow[2 * half + 1]), sums[half])),
      storeRecord({ record, largest, sums }),
      x.set(i32.add(x.get, i32.const(blockWidth * 4))),
      out.set(i32.add(out.get, i32.const(blockWidth))),
      record.set(i32.add(record.get, i32.const(activationRecord.bytes))),
    );
    return sequence(
      record.set(i32.add(out.get, k.get)),
      end.set(record.get),
      loopWhile(block, i32.ltU(out.get, end.get)),
    );
  });
}

/** `rest`(x, row, y, k): y = x less what the quantized row stands for; k as above. */
export function restOfRow(): FunctionCode {
  return func("rest", (scope) => {
    const [x, row, y, k] = Array.from({ length: 4 }, () => scope.param("i32")) as [Local, Local, Local, Local];
    const [record, end] = scope.locals("i32", 2) as [Local, Local];
    const [scale, codes] = scope.locals("v128", 2) as [Local, Local];
    const part = (at: number, wide: Code): Code =>
      v128.store(y.get, f32x4.sub(v128.load(x.get, at), f32x4.mul(f32x4.convert(wide), scale.get)), at);
    const block = sequence(
      scale.set(v128.load32splat(record.get, activationRecord.scale)),
      ...[0, 1, 2, 3].map((eight) =>
        sequence(
          codes.set(v128.load8x8s(row.get, eight * 8)),
          part(eight * 32, i32x4.extendLowS(codes.get)),
          part(eight * 32 + 16, i32x4.extendHighS(codes.get)),
        ),
      ),
      advance([x, y], blockWidth * 4),
      advance([row], blockWidth),
      advance([record], activationRecord.bytes),
    );
    return sequence(
      record.set(i32.add(row.get, k.get)),
      end.set(record.get),
      loopWhile(block, i32.ltU(row.get, end.get)),
    );
  });
}

/** (x, out, k): the same for the super layout: one scale for 256, k a multiple of that. */
export function quantizeSuperRow(): FunctionCode {
  return func("quantize-super", (scope) => {
    const x = scope.param("i32");
    const out = scope.param("i32");
    const k = scope.param("i32");
    const [record, end, at, stop, sums] = scope.locals("i32", 5) as [Local, Local, Local, Local, Local];
    const values = scope.locals("v128", 8);
    const narrow = scope.locals("v128", 4);
    const [most, inverse, low, high] = scope.locals("v128", 4) as [Local, Local, Local, Local];
    const largest = scope.local("f32");
    const load = values.map((value, index) => value.set(v128.load(at.get, index * 16)));
    const firstPass = sequence(
      ...load,
      most.set(f32x4.max(most.get, largestOf(values))),
      at.set(i32.add(at.get, i32.const(blockWidth * 4))),
    );
    const secondPass = sequence(
      ...values.map((value, index) => value.set(v128.load(x.get, index * 16))),
      ...narrow.map((vector, index) =>
        vector.set(i16x8.narrow32s(rounded(values[2 * index], inverse), rounded(values[2 * index + 1], inverse))),
      ),
      v128.store(out.get, i8x16.narrow16s(get(narrow[0]), get(narrow[1]))),
      v128.store(out.get, i8x16.narrow16s(get(narrow[2]), get(narrow[3])), 16),
      halfSum(get(narrow[0]), get(narrow[1]), low),
      halfSum(get(narrow[2]), get(narrow[3]), high),
      i32.store16(
        i32.add(record.get, sums.get),
        i32x4.extract(i32x4.add(low.get, high.get), 0),
        superActivation.sums32,
      ),
      i32.store16(
        i32.add(record.get, i32.shl(sums.get, i32.const(1))),
        i32x4.extract(low.get, 0),
        superActivation.sums16,
      ),
      i32.store16(
        i32.add(record.get, i32.shl(sums.get, i32.const(1))),
        i32x4.extract(high.get, 0),
        superActivation.sums16 + 2,
      ),
      x.set(i32.add(x.get, i32.const(blockWidth * 4))),
      out.set(i32.add(out.get, i32.const(blockWidth))),
      sums.set(i32.add(sums.get, i32.const(2))),
    );
    const block = sequence(
      most.set(v128.const32(0)),
      at.set(x.get),
      stop.set(i32.add(x.get, i32.const(superWidth * 4))),
      loopWhile(firstPass, i32.ltU(at.get, stop.get)),
      largest.set(f32x4.extract(horizontal(most, f32x4.max), 0)),
      inverse.set(f32x4.splat(inverseOf(largest))),
      f32.store(record.get, f32.mul(largest.get, f32.const(1 / 127)), superActivation.scale),
      sums.set(i32.const(0)),
      loopWhile(secondPass, i32.ltU(x.get, stop.get)),
      record.set(i32.add(record.get, i32.const(superActivation.bytes))),
    );
    return sequence(
      record.set(i32.add(out.get, k.get)),
      end.set(record.get),
      loopWhile(block, i32.ltU(out.get, end.get)),
    );
  });
}

function get(local: Local | undefined): Code {
  if (!local) throw new RangeError("no such local");
  return local.get;
}

function largestOf(values: readonly Local[]): Code {
  const [first, ...rest] = values.map((value) => f32x4.abs(value.get));
  return rest.reduce((most, value) => f32x4.max(most, value), first ?? []);
}

/** The combination of all four lanes, in every lane. */
function horizontal(vector: Local, combine: (a: Code, b: Code) => Code): Code {
  const swapHalves = [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7];
  const swapPairs = [4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11];
  return sequence(
    vector.set(combine(vector.get, i8x16.shuffle(vector.get, vector.get, swapHalves))),
    vector.set(combine(vector.get, i8x16.shuffle(vector.get, vector.get, swapPairs))),
    vector.get,
  );
}

/** 127 / largest, and 0 for a block of zeros: a select without a branch. */
function inverseOf(largest: Local): Code {
  return [...f32.div(f32.const(127), largest.get), ...f32.const(0), ...f32.gt(largest.get, f32.const(0)), 0x1b];
}

function rounded(value: Local | undefined, inverse: Local): Code {
  return i32x4.truncSat(f32x4.nearest(f32x4.mul(get(value), inverse.get)));
}

function halfSum(low: Code, high: Code, sum: Local | undefined): Code {
  if (!sum) throw new RangeError("no such local");
  return sequence(sum.set(i32x4.dot16(i16x8.add(low, high), v128.const16(1))), sum.set(horizontal(sum, i32x4.add)));
}

interface RecordParts {
  readonly record: Local;
  readonly largest: Local;
  readonly sums: readonly Local[];
}

function storeRecord({ record, largest, sums }: RecordParts): Code {
  const scale = f32.mul(largest.get, f32.const(1 / 127));
  const [low, high] = sums.map((sum) => i32x4.extract(sum.get, 0));
  if (!low || !high) throw new RangeError("two sums are needed");
  const total = i32.add(low, high);
  const quarter = i32.and(i32.mul(total, i32.const(-4)), i32.const(0xffff));
  const scaled = (value: Code): Code => f32.mul(scale, f32.convert(value));
  return sequence(
    f32.store(record.get, scale, activationRecord.scale),
    i32.store(record.get, i32.or(quarter, i32.shl(quarter, i32.const(16))), activationRecord.start),
    f32.store(record.get, scaled(total), activationRecord.sum),
    f32.store(record.get, scaled(low), activationRecord.firstHalf),
    f32.store(record.get, scaled(high), activationRecord.lastHalf),
  );
}
