/** Whether an accelerator computes what the CPU does. */
import { halves } from "../../util/half.ts";
import type { Tensor, TensorNumbers } from "../../formats/tensor.ts";
import type { Tensors } from "./session.ts";

/** Largest error that is taken for rounding: of the root mean square of an output, and of one that is nearly zero. */
const relative = 0.02;
const absolute = 1e-4;
/** Share of integers (labels, places) that may differ where two are nearly as likely. */
const different = 0.01;

/** The first output that is wrong and how far, as one clause; undefined: all agree. */
export function differs(found: Tensors, expected: Tensors): string | undefined {
  for (const [name, right] of Object.entries(expected)) {
    const other = found[name];
    if (!other) return `the output ${name} is missing`;
    if (other.data.length !== right.data.length) {
      return `the output ${name} has ${other.data.length} numbers instead of ${right.data.length}`;
    }
    const problem = isFloat(right)
      ? floatsDiffer(floats(other), floats(right))
      : integersDiffer(other.data, right.data);
    if (problem !== undefined) return `the output ${name} ${problem}`;
  }
  return undefined;
}

function isFloat({ type }: Tensor): boolean {
  return type === "float32" || type === "float64" || type === "float16";
}

function floats({ type, data }: Tensor): ArrayLike<number> {
  const numbers = data as Exclude<TensorNumbers, BigInt64Array | BigUint64Array>;
  return type === "float16" ? Float32Array.from(numbers, (bits) => halves[bits] ?? 0) : numbers;
}

function floatsDiffer(found: ArrayLike<number>, expected: ArrayLike<number>): string | undefined {
  let [error, size] = [0, 0];
  for (let index = 0; index < expected.length; index++) {
    const [a, b] = [found[index] ?? 0, expected[index] ?? 0];
    if (Number.isNaN(a) !== Number.isNaN(b)) return "is not a number where the CPU has one, or the other way round";
    if (!Number.isFinite(a) || !Number.isFinite(b)) continue;
    error += (a - b) ** 2;
    size += b ** 2;
  }
  const [wrong, right] = [Math.sqrt(error / (expected.length || 1)), Math.sqrt(size / (expected.length || 1))];
  if (wrong <= relative * right + absolute) return undefined;
  return `is off by ${wrong.toPrecision(2)} where its numbers are about ${right.toPrecision(2)}`;
}

function integersDiffer(found: TensorNumbers, expected: TensorNumbers): string | undefined {
  let count = 0;
  for (let index = 0; index < expected.length; index++) if (found[index] !== expected[index]) count++;
  if (count <= different * expected.length) return undefined;
  return `differs in ${count} of ${expected.length} numbers`;
}
