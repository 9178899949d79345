/**
 * e^x for float32: within 1e-8 of it, 0 for what f32 can hardly hold. `Math.exp` is code of the system's that takes ten
 * times as long after kernels that leave the upper halves of vector registers in use.
 */
const powers = Float64Array.from({ length: 256 }, (_, at) => 2 ** (at - 128));

export function exp(x: number): number {
  if (x < -87) return 0;
  if (x > 88) return Infinity;
  const whole = Math.floor(x * Math.LOG2E + 0.5);
  const r = x - whole * Math.LN2;
  const tail = 1 / 24 + r * (1 / 120 + r * (1 / 720 + r * (1 / 5040 + r / 40_320)));
  return (1 + r * (1 + r * (0.5 + r * (1 / 6 + r * tail)))) * powers[whole + 128]!;
}
