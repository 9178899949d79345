/** All kernels of training. */
import type { Code, FunctionCode, Local } from "../../engines/flint/kernels/wasm/code.ts";
import { func, sequence } from "../../engines/flint/kernels/wasm/code.ts";
import { gated } from "../../engines/flint/kernels/wasm/activation.ts";
import { constantsOf } from "../../engines/flint/kernels/wasm/constants.ts";
import { add, addBias, addScaled, copy, mapping, scale } from "../../engines/flint/kernels/wasm/elementwise.ts";
import type { Vectors } from "../../engines/flint/kernels/wasm/exp.ts";
import { exp } from "../../engines/flint/kernels/wasm/exp.ts";
import { f32x4, i32, v128 } from "../../engines/flint/kernels/wasm/instructions.ts";
import { acrossLanes, advance, at, repeat } from "../../engines/flint/kernels/wasm/lanes.ts";
import { packColumns, packRows, panelKernel, tileRows } from "./panel.ts";

export function trainKernels(): readonly FunctionCode[] {
  return [
    ...Array.from({ length: tileRows }, (_, index) => index + 1).flatMap((rows) =>
      [false, true].map((add) => panelKernel({ rows, add })),
    ),
    packColumns(),
    packRows(),
    add(),
    addScaled(),
    addBias(),
    scale(),
    copy(),
    gated("silu"),
    siluGate(),
    siluUp(),
    largest(),
    exponentials(),
    dot(),
  ];
}

/** σ(x); `x` is read once. */
function sigmoid(vectors: Vectors, x: Code): Code {
  const { constants } = vectors;
  return f32x4.div(constants("one"), f32x4.add(exp(vectors, f32x4.neg(x)), constants("one")));
}

/** `silu-gate`(gate, up, dy, y, count): what the gate of silu(gate) · up gets of dy. */
function siluGate(): FunctionCode {
  return mapping("silu-gate", 3, (vectors, [gate = [], up = [], dy = []]) => {
    const { scope, constants } = vectors;
    const part = scope.local("v128");
    // σ · (1 + gate · (1 − σ))
    const slope = f32x4.mul(part.get, f32x4.relaxedMadd(gate, f32x4.sub(constants("one"), part.get), constants("one")));
    return [...part.set(sigmoid(vectors, gate)), ...f32x4.mul(f32x4.mul(dy, up), slope)];
  });
}

/** `silu-up`(gate, dy, y, count): what the other factor gets. */
function siluUp(): FunctionCode {
  return mapping("silu-up", 2, (vectors, [gate = [], dy = []]) =>
    f32x4.mul(f32x4.mul(gate, dy), sigmoid(vectors, gate)),
  );
}

/** `largest`(x, count): the largest of the numbers, of which there is at least one. */
function largest(): FunctionCode {
  return reduction("largest", {
    inputs: 1,
    start: (x) => v128.load32splat(x[0]?.get ?? []),
    next: (sum, [x = []]) => f32x4.max(sum, x),
    combine: f32x4.max,
  });
}

/** `dot`(a, b, count): Σ a · b. */
function dot(): FunctionCode {
  return reduction("dot", {
    inputs: 2,
    start: () => v128.const32(0),
    next: (sum, [a = [], b = []]) => f32x4.relaxedMadd(a, b, sum),
    combine: f32x4.add,
  });
}

interface Reduction {
  readonly inputs: number;
  readonly start: (pointers: readonly Local[]) => Code;
  readonly next: (sum: Code, values: readonly Code[]) => Code;
  readonly combine: (a: Code, b: Code) => Code;
}

/** A function (input …, count) that gives one number. Four sums of vectors; what is left over goes to the first lane of one. */
function reduction(name: string, { inputs, start, next, combine }: Reduction): FunctionCode {
  return func(
    name,
    (scope) => {
      const pointers = Array.from({ length: inputs }, () => scope.param("i32"));
      const count = scope.param("i32");
      const blocks = scope.local("i32");
      const sums = scope.locals("v128", 4);
      const block = sequence(
        ...sums.map((sum, index) =>
          sum.set(
            next(
              sum.get,
              pointers.map((pointer) => v128.load(pointer.get, index * 16)),
            ),
          ),
        ),
        advance(pointers, 64),
      );
      // The other lanes get what changes nothing: a splat of the same number, or products of zeros.
      const single = sequence(
        at(sums, 0).set(
          next(
            at(sums, 0).get,
            pointers.map((pointer) => (inputs === 1 ? v128.load32splat(pointer.get) : v128.load32zero(pointer.get))),
          ),
        ),
        advance(pointers, 4),
      );
      return sequence(
        ...sums.map((sum) => sum.set(start(pointers))),
        blocks.set(i32.shrU(count.get, i32.const(4))),
        count.set(i32.and(count.get, i32.const(15))),
        repeat(blocks, block),
        repeat(count, single),
        at(sums, 0).set(sums.map((sum) => sum.get).reduce((sum, one) => combine(sum, one))),
        f32x4.extract(acrossLanes(at(sums, 0), combine), 0),
      );
    },
    ["f32"],
  );
}

/** `exponentials`(x, less: f32, factor: f32, y, count): y = e^((x − less) · factor); gives their sum. y may be x. */
function exponentials(): FunctionCode {
  return func(
    "exponentials",
    (scope) => {
      const x = scope.param("i32");
      const less = scope.param("f32");
      const factor = scope.param("f32");
      const y = scope.param("i32");
      const count = scope.param("i32");
      const blocks = scope.local("i32");
      const [shift, times] = [scope.local("v128"), scope.local("v128")];
      const values = scope.locals("v128", 2);
      const sums = scope.locals("v128", 2);
      const constants = constantsOf(scope);
      const power = (value: Code): Code => exp({ scope, constants }, f32x4.mul(f32x4.sub(value, shift.get), times.get));
      const block = sequence(
        ...values.map((value, h) => value.set(power(v128.load(x.get, h * 16)))),
        ...values.map((value, h) => v128.store(y.get, value.get, h * 16)),
        ...sums.map((sum, h) => sum.set(f32x4.add(sum.get, at(values, h).get))),
        advance([x, y], 32),
      );
      const single = sequence(
        at(values, 0).set(power(v128.load32zero(x.get))),
        v128.store32lane(y.get, at(values, 0).get, 0),
        at(sums, 0).set(f32x4.add(at(sums, 0).get, v128.load32zero(y.get))),
        advance([x, y], 4),
      );
      const body = sequence(
        shift.set(f32x4.splat(less.get)),
        times.set(f32x4.splat(factor.get)),
        ...sums.map((sum) => sum.set(v128.const32(0))),
        blocks.set(i32.shrU(count.get, i32.const(3))),
        count.set(i32.and(count.get, i32.const(7))),
        repeat(blocks, block),
        repeat(count, single),
        at(sums, 0).set(f32x4.add(at(sums, 0).get, at(sums, 1).get)),
        f32x4.extract(acrossLanes(at(sums, 0), f32x4.add), 0),
      );
      return sequence(constants.load(), body);
    },
    ["f32"],
  );
}
