/** Steps that an octave is cut into. */
const steps = 32;
const leastPower = 1074;
/** 2^(-i / 32); square roots and halving are exact or correctly rounded everywhere, `Math.exp` is not. */
const fractions: Float64Array = createFractions();
const powers: Float64Array = createPowers();

/**
 * e^x for x ≤ 0, within 10^-13 of it, 0 below -700; twice as fast as `Math.exp` under V8 and, unlike it, the same bits in
 * every JavaScript engine.
 */
export function exponential(x: number): number {
  if (!(x >= -700)) return 0;
  const step = (0.5 - x * (Math.LOG2E * steps)) | 0;
  const rest = x + step * (Math.LN2 / steps);
  const series = 1 + rest * (1 + rest * (1 / 2 + rest * (1 / 6 + rest * (1 / 24 + rest * (1 / 120)))));
  return series * (fractions[step & (steps - 1)] ?? 0) * (powers[step >> 5] ?? 0);
}

function createFractions(): Float64Array {
  const table = new Float64Array(steps).fill(1);
  let root = 0.5;
  for (let bit = steps / 2; bit >= 1; bit /= 2) {
    root = Math.sqrt(root);
    for (let index = 0; index < steps; index++) if (index & bit) table[index] = (table[index] ?? 1) * root;
  }
  return table;
}

function createPowers(): Float64Array {
  const table = new Float64Array(leastPower + 1).fill(1);
  for (let index = 1; index <= leastPower; index++) table[index] = (table[index - 1] ?? 1) / 2;
  return table;
}
