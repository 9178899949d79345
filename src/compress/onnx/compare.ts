/** How far the outputs of one model are from those of another, over samples. */
import type { Tensors } from "../../engines/onnx/session.ts";
import type { Tensor } from "../../formats/tensor.ts";
import { convert } from "./samples-tensor.ts";
import type { OutputDifference } from "./contract.ts";

interface Sums {
  samples: number;
  cosines: number;
  leastCosine: number;
  maxError: number;
  squaredError: number;
  squares: number;
  rows: number;
  agreeing: number;
}

export class Comparison {
  private readonly sums = new Map<string, Sums>();

  add(reference: Tensors, model: Tensors): void {
    for (const [name, tensor] of Object.entries(reference)) {
      const other = model[name];
      if (other && other.data.length === tensor.data.length) addOutput(this.sumsOf(name), tensor, other);
    }
  }

  outputs(): readonly OutputDifference[] {
    return [...this.sums].map(([name, sums]) => ({
      name,
      cosine: { mean: sums.cosines / sums.samples, least: sums.leastCosine },
      maxError: sums.maxError,
      relativeError: sums.squares === 0 ? 0 : Math.sqrt(sums.squaredError / sums.squares),
      ...(sums.rows > 0 && { agreement: sums.agreeing / sums.rows }),
    }));
  }

  private sumsOf(name: string): Sums {
    const known = this.sums.get(name);
    if (known) return known;
    const sums = {
      samples: 0,
      cosines: 0,
      leastCosine: 1,
      maxError: 0,
      squaredError: 0,
      squares: 0,
      rows: 0,
      agreeing: 0,
    };
    this.sums.set(name, sums);
    return sums;
  }
}

function addOutput(sums: Sums, reference: Tensor, model: Tensor): void {
  const a = numbers(reference);
  const b = numbers(model);
  let product = 0;
  let squareA = 0;
  let squareB = 0;
  for (let at = 0; at < a.length; at++) {
    const [x, y] = [a[at]!, b[at]!];
    product += x * y;
    squareA += x * x;
    squareB += y * y;
    const error = Math.abs(x - y);
    sums.squaredError += error * error;
    if (!(error <= sums.maxError)) sums.maxError = error;
  }
  const length = Math.sqrt(squareA * squareB);
  // Two outputs of zeros are the same.
  const cosine = length > 0 ? product / length : squareA === squareB ? 1 : 0;
  sums.samples++;
  sums.squares += squareA;
  sums.cosines += cosine;
  sums.leastCosine = Math.min(sums.leastCosine, cosine);
  addRows(sums, { a, b, width: reference.shape.at(-1) ?? 1 });
}

interface Rows {
  readonly a: Float64Array;
  readonly b: Float64Array;
  readonly width: number;
}

function addRows(sums: Sums, { a, b, width }: Rows): void {
  if (width < 2) return;
  for (let start = 0; start < a.length; start += width) {
    sums.rows++;
    if (largestAt(a, start, width) === largestAt(b, start, width)) sums.agreeing++;
  }
}

function largestAt(values: Float64Array, start: number, width: number): number {
  let best = 0;
  for (let at = 1; at < width; at++) if (values[start + at]! > values[start + best]!) best = at;
  return best;
}

function numbers(tensor: Tensor): Float64Array {
  return convert(tensor, "float64").data as Float64Array;
}
