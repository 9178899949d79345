/** The f32 value of every f16, by its bits: 256 KiB, made once, for a f16 → f32 that is a single load. */
export const halves: Float32Array = allHalves();

/** IEEE 754 binary16: one sign bit, five of exponent (bias 15), ten of mantissa. All NaN are one. */
function allHalves(): Float32Array {
  const table = new Float32Array(65_536);
  const bits = new Uint32Array(table.buffer);
  for (let mantissa = 0; mantissa < 1024; mantissa++) table[mantissa] = mantissa * 2 ** -24;
  for (let half = 1024; half < 0x7c00; half++) bits[half] = (half + 0x1c000) << 13;
  table[0x7c00] = Infinity;
  for (let half = 0; half <= 0x7c00; half++) bits[half | 0x8000] = bits[half]! | 0x8000_0000;
  table.fill(NaN, 0x7c01, 0x8000);
  table.fill(NaN, 0xfc01);
  return table;
}

const float = new Float32Array(1);
const floatBits = new Uint32Array(float.buffer);

/** The bits of the f16 nearest to a number that is first rounded to f32; a tie goes to the even one. */
export function floatToHalf(value: number): number {
  float[0] = value;
  const bits = floatBits[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fff_ffff;
  if (magnitude > 0x7f80_0000) return sign | 0x7e00;
  // 65520 is half way between the largest f16 and the next power of two.
  if (magnitude >= 0x477f_f000) return sign | 0x7c00;
  // Below 2^-14 an f16 is a multiple of 2^-24: the product is exact, and so is the choice of the nearest integer.
  if (magnitude < 0x3880_0000) return sign | roundToEven(Math.abs(float[0]) * 2 ** 24);
  const rebiased = magnitude - 0x3800_0000;
  return sign | ((rebiased + 0xfff + ((rebiased >>> 13) & 1)) >>> 13);
}

/** The upper half of the f32 nearest to a number (bfloat16); a tie goes to the even one. */
export function floatToBrain(value: number): number {
  float[0] = value;
  const bits = floatBits[0]!;
  if ((bits & 0x7fff_ffff) > 0x7f80_0000) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) / 65_536) & 0xffff;
}

/** The nearest integer, and of two the even one. */
export function roundToEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
