import type { Pass, PlacedNorm } from "../pass.ts";
import type { Norm } from "../tape.ts";

/** y = x / rms(x) · weight, in pieces of `width`. RMSNorm: arXiv 1910.07467. */
export function runNorm(pass: Pass, { x, out, epsilon, width }: Norm, { weight }: PlacedNorm): void {
  const { floats } = pass.machine;
  const end = pass.valueOf(x) / 4 + pass.rows * x.width;
  const w = weight / 4;
  for (let from = pass.valueOf(x) / 4, to = pass.valueOf(out) / 4; from < end; from += width, to += width) {
    const inverse = inverseOf(pass, { from, width, epsilon });
    for (let i = 0; i < width; i++) floats[to + i] = floats[from + i]! * inverse * floats[w + i]!;
  }
}

interface Piece {
  /** Index of a float. */
  readonly from: number;
  readonly width: number;
  readonly epsilon: number;
}

function inverseOf({ machine }: Pass, { from, width, epsilon }: Piece): number {
  return 1 / Math.sqrt(machine.call("dot", from * 4, from * 4, width) / width + epsilon);
}

/** dx = (g − x · (g · x) / (n · rms²)) / rms, with g = dy · weight. */
export function reverseNorm(pass: Pass, { x, out, epsilon, width }: Norm, { weight, gradient }: PlacedNorm): void {
  const { floats } = pass.machine;
  const add = pass.touch(x) ? 1 : 0;
  const [w, dw] = [weight / 4, gradient / 4];
  const pieces = (pass.rows * x.width) / width;
  for (let piece = 0; piece < pieces; piece++) {
    const from = pass.valueOf(x) / 4 + piece * width;
    const dy = pass.gradientOf(out) / 4 + piece * width;
    const dx = pass.gradientOf(x) / 4 + piece * width;
    const inverse = inverseOf(pass, { from, width, epsilon });
    let sum = 0;
    for (let i = 0; i < width; i++) {
      const part = floats[dy + i]! * floats[from + i]!;
      sum += part * floats[w + i]!;
      floats[dw + i] = floats[dw + i]! + part * inverse;
    }
    const less = (sum * inverse ** 3) / width;
    for (let i = 0; i < width; i++) {
      const value = floats[dy + i]! * floats[w + i]! * inverse - floats[from + i]! * less;
      floats[dx + i] = value + add * (add === 0 ? 0 : floats[dx + i]!);
    }
  }
}
