/** Element-wise functions over floats that follow each other: one row or several. `count` is any number of floats. */
import type { Code, FunctionCode, Local, Scope } from "./code.ts";
import { func, sequence } from "./code.ts";
import { constantsOf } from "./constants.ts";
import type { Vectors } from "./exp.ts";
import { copyMemory, f32x4, i32 } from "./instructions.ts";
import { mapFloats, repeat } from "./lanes.ts";
import { tanh } from "./saturating.ts";

/** `add`(a, b, y, count): y = a + b. */
export function add(): FunctionCode {
  return mapping("add", 2, (_, [a = [], b = []]) => f32x4.add(a, b));
}

/** `multiply`(a, b, y, count): y = a · b. */
export function multiply(): FunctionCode {
  return mapping("multiply", 2, (_, [a = [], b = []]) => f32x4.mul(a, b));
}

/** A function (input …, y, count) that treats every element alike. The output may be an input. */
export function mapping(
  name: string,
  inputs: number,
  apply: (vectors: Vectors, values: readonly Code[]) => Code,
): FunctionCode {
  return func(name, (scope) => {
    const pointers = Array.from({ length: inputs }, () => scope.param("i32"));
    const output = scope.param("i32");
    const count = scope.param("i32");
    const constants = constantsOf(scope);
    const body = mapFloats(scope, { inputs: pointers, output, count }, (values) => apply({ scope, constants }, values));
    return sequence(constants.load(), body);
  });
}

/** `scale`(x, factor: f32, y, count): y = factor · x. */
export function scale(): FunctionCode {
  return withFactor("scale", (scope, { x, y, count, factor }) =>
    mapFloats(scope, { inputs: [x], output: y, count }, ([value = []]) => f32x4.mul(value, factor)),
  );
}

/** `add-scaled`(x, factor: f32, y, count): y += factor · x. */
export function addScaled(): FunctionCode {
  return withFactor("add-scaled", (scope, { x, y, count, factor }) => {
    // The output is read as well, through a pointer of its own.
    const sum = scope.local("i32");
    const body = mapFloats(scope, { inputs: [x, sum], output: y, count }, ([value = [], old = []]) =>
      f32x4.relaxedMadd(value, factor, old),
    );
    return sequence(sum.set(y.get), body);
  });
}

interface FactorParams {
  readonly x: Local;
  readonly y: Local;
  readonly count: Local;
  /** In all lanes. */
  readonly factor: Code;
}

function withFactor(name: string, write: (scope: Scope, params: FactorParams) => Code): FunctionCode {
  return func(name, (scope) => {
    const x = scope.param("i32");
    const factor = scope.param("f32");
    const y = scope.param("i32");
    const count = scope.param("i32");
    const vector = scope.local("v128");
    return sequence(vector.set(f32x4.splat(factor.get)), write(scope, { x, y, count, factor: vector.get }));
  });
}

/** `add-bias`(x, bias, y, width, rows): y[row] = x[row] + bias; `width` floats a row. */
export function addBias(): FunctionCode {
  return func("add-bias", (scope) => {
    const [x, bias, y, width, rows] = Array.from({ length: 5 }, () => scope.param("i32")) as [
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    const pointer = scope.local("i32");
    const count = scope.local("i32");
    const row = mapFloats(scope, { inputs: [x, pointer], output: y, count }, ([a = [], b = []]) => f32x4.add(a, b));
    return repeat(rows, sequence(pointer.set(bias.get), count.set(width.get), row));
  });
}

/** `soft-cap`(x, cap: f32, y, count): y = cap · tanh(x / cap). */
export function softCap(): FunctionCode {
  return func("soft-cap", (scope) => {
    const x = scope.param("i32");
    const cap = scope.param("f32");
    const y = scope.param("i32");
    const count = scope.param("i32");
    const constants = constantsOf(scope);
    const limit = scope.local("v128");
    const inverse = scope.local("v128");
    const body = mapFloats(scope, { inputs: [x], output: y, count }, ([value = []]) =>
      f32x4.mul(tanh({ scope, constants }, f32x4.mul(value, inverse.get)), limit.get),
    );
    return sequence(
      constants.load(),
      limit.set(f32x4.splat(cap.get)),
      inverse.set(f32x4.div(constants("one"), limit.get)),
      body,
    );
  });
}

/** `copy`(x, y, count): y = x. */
export function copy(): FunctionCode {
  return func("copy", (scope) => {
    const [x, y, count] = Array.from({ length: 3 }, () => scope.param("i32")) as [Local, Local, Local];
    return copyMemory(y.get, x.get, i32.shl(count.get, i32.const(2)));
  });
}
