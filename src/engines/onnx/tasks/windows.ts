/** Sound of any length in pieces that a model of speech takes. */

export interface Window {
  readonly samples: Float32Array;
  /** Seconds from the begin of the sound. */
  readonly start: number;
}

export interface WindowOptions {
  readonly sampleRate: number;
  readonly mostSeconds: number;
  /** How far back from its end a window may be cut where it is quiet. */
  readonly searchSeconds: number;
}

/** Cuts where it is quietest, so that no word is cut in two. */
export async function* windows(
  pieces: AsyncIterable<Float32Array>,
  { sampleRate, mostSeconds, searchSeconds }: WindowOptions,
): AsyncGenerator<Window> {
  const most = mostSeconds * sampleRate;
  let held = new Float32Array(0);
  let taken = 0;
  for await (const piece of pieces) {
    const joined = new Float32Array(held.length + piece.length);
    joined.set(held);
    joined.set(piece, held.length);
    held = joined;
    while (held.length > most) {
      const cut = quietest(held, most - searchSeconds * sampleRate, most);
      yield { samples: held.slice(0, cut), start: taken / sampleRate };
      taken += cut;
      held = held.slice(cut);
    }
  }
  if (held.length > 0) yield { samples: held, start: taken / sampleRate };
}

/** Samples in which it has to be quiet: 50 ms at 16 kHz. */
const quietSamples = 800;

/** The middle of the quietest stretch between two places. */
export function quietest(samples: Float32Array, from: number, to: number): number {
  let [best, least] = [to, Infinity];
  for (let at = from; at + quietSamples <= to; at += quietSamples / 2) {
    let energy = 0;
    for (let index = at; index < at + quietSamples; index++) energy += (samples[index] ?? 0) ** 2;
    if (energy < least) [best, least] = [at + quietSamples / 2, energy];
  }
  return best;
}

/** Root mean square. */
export function loudness(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / Math.max(1, samples.length));
}
