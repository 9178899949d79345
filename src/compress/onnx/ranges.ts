/** Least and largest values of activations, as calibration saw them, and the codes for them. */

export interface Range {
  readonly least: number;
  readonly most: number;
}

/** Codes 0 to 255: `value = (code - zero) * scale`. */
export interface CodeScale {
  readonly scale: number;
  readonly zero: number;
}

/** 0 is always among the values: padding and the floor of ReLU are exactly that. */
export function codeScale({ least, most }: Range): CodeScale {
  const low = Math.min(least, 0);
  const high = Math.max(most, 0);
  const scale = high > low ? Math.fround((high - low) / 255) : 1;
  return { scale, zero: Math.min(255, Math.max(0, Math.round(-low / scale))) };
}
