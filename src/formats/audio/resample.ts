/** Another sample rate by band-limited interpolation: J. O. Smith and P. Gossett, "A flexible sampling-rate conversion method", 1984. */

/** Takes samples as they come and gives those of the other rate, as far as they are known. */
export interface Resampler {
  push(samples: Float32Array): Float32Array;
  /** What is left when no more samples come. */
  flush(): Float32Array;
}

/** Zeros of the sinc on each side: the more, the steeper the edge. */
const zeros = 24;
/** Where the edge lies, in parts of half of the lower rate. */
const rolloff = 0.95;
/** Shape of Kaiser's window: 90 dB of attenuation. */
const beta = 9;
/** Rates without a small common measure are interpolated between so many phases. */
const mostPhases = 1024;

export function createResampler({ from, to }: { readonly from: number; readonly to: number }): Resampler {
  if (from === to) return { push: (samples) => samples, flush: () => new Float32Array(0) };
  const divisor = greatestDivisor(from, to);
  const [up, down] = [to / divisor, from / divisor];
  const filter = createFilter(Math.min(1, to / from) * rolloff, Math.min(up, mostPhases));
  const width = 2 * filter.half;
  /** From the first sample that the next output needs. */
  let held = new Float32Array(filter.half - 1);
  let phase = 0;
  let taken = 0;
  let made = 0;
  const run = (most: number): Float32Array => {
    const ready = Math.max(0, Math.ceil(((held.length - width + 1) * up - phase) / down));
    const output = new Float32Array(Math.min(ready, most));
    let start = 0;
    for (let index = 0; index < output.length; index++) {
      output[index] = filter.apply(held, start, phase / up);
      phase += down;
      start += Math.floor(phase / up);
      phase %= up;
    }
    held = held.slice(start);
    made += output.length;
    return output;
  };
  return {
    push(samples) {
      taken += samples.length;
      held = join(held, samples);
      return run(Infinity);
    },
    flush() {
      held = join(held, new Float32Array(width));
      return run(Math.ceil((taken * up) / down) - made);
    },
  };
}

interface Filter {
  /** Samples on each side of the output. */
  readonly half: number;
  /** The output `fraction` of a sample behind the sample `start + half - 1`. */
  readonly apply: (samples: Float32Array, start: number, fraction: number) => number;
}

/** `cutoff`: where the edge lies, in parts of half of the rate that comes in. */
function createFilter(cutoff: number, phases: number): Filter {
  const half = Math.ceil(zeros / cutoff);
  const width = 2 * half;
  // One row more than phases: the last one is interpolated with its neighbour.
  const rows = Array.from({ length: phases + 1 }, (_, row) => createRow(cutoff, half, row / phases));
  const apply: Filter["apply"] = (samples, start, fraction) => {
    const place = fraction * phases;
    const row = Math.floor(place + 1e-9);
    const rest = place - row;
    const first = dot(rows[row], samples, start, width);
    return rest < 1e-9 ? first : first + rest * (dot(rows[row + 1], samples, start, width) - first);
  };
  return { half, apply };
}

function dot(row: Float32Array | undefined, samples: Float32Array, start: number, width: number): number {
  let sum = 0;
  if (!row) return sum;
  for (let index = 0; index < width; index++) sum += (row[index] as number) * (samples[start + index] as number);
  return sum;
}

/** Of a constant sound it makes the same constant. */
function createRow(cutoff: number, half: number, fraction: number): Float32Array {
  const row = Float64Array.from({ length: 2 * half }, (_, index) => {
    const distance = index - half + 1 - fraction;
    const inside = distance / half;
    if (Math.abs(inside) >= 1) return 0;
    return sinc(cutoff * distance) * bessel(beta * Math.sqrt(1 - inside * inside));
  });
  const sum = row.reduce((total, value) => total + value, 0);
  return Float32Array.from(row, (value) => value / sum);
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** The modified Bessel function of order zero, by its series. */
function bessel(x: number): number {
  let sum = 1;
  for (let term = 1, k = 1; term > sum * 1e-12; k++) sum += term *= (x / (2 * k)) ** 2;
  return sum;
}

function join(first: Float32Array, second: Float32Array): Float32Array<ArrayBuffer> {
  const joined = new Float32Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}
