// Damages TFLite files the way bad disks, bad downloads and bad people do, from a seed.
import { randomUniform } from "./make-weights.ts";

const telling = [
  0, 1, 2, 3, 4, 7, 8, 31, 32, 33, 255, 4096, 65_535, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, 0xffff_ffff,
];

/** An endless row of damaged copies. Half of the damage is in the first bytes, where the model's own tables are. */
export function* mutateTflite(bytes: Uint8Array, seed: number): Generator<Uint8Array<ArrayBuffer>, never> {
  const uniform = randomUniform(seed);
  const below = (limit: number): number => Math.floor(uniform() * limit);
  const place = (): number => below(uniform() < 0.5 ? bytes.length : Math.min(2048, bytes.length));
  for (;;) {
    const copy = new Uint8Array(bytes);
    const view = new DataView(copy.buffer);
    const rounds = uniform() < 0.7 ? 1 : 1 + below(6);
    const kind = uniform();
    if (kind < 0.1) {
      yield copy.slice(0, below(copy.length));
      continue;
    }
    for (let round = 0; round < rounds; round++) {
      const at = Math.min(place(), copy.length - 8);
      if (kind < 0.35) copy[at] = (copy[at] ?? 0) ^ (1 << below(8));
      else if (kind < 0.6) view.setUint32(at - (at % 4), telling[below(telling.length)] ?? 0, true);
      else if (kind < 0.75) view.setUint16(at - (at % 2), below(64), true);
      else if (kind < 0.9) view.setUint32(at - (at % 4), view.getUint32(at - (at % 4), true) + below(65) - 32, true);
      else copy.copyWithin(at, place(), at + 1 + below(64));
    }
    yield copy;
  }
}
