import type { CodeFormat, Codec, Codes, SuperCodes } from "./contract.ts";
import { countBlocks } from "./run.ts";

export type SuperLoop = (source: Uint8Array, blocks: number, into: SuperCodes) => void;

/** A codec for a type with super-blocks of 256 weights, from the loop that decodes them. */
export function superCodec(type: Codec["type"], format: CodeFormat, loop: SuperLoop): Codec {
  let scratch = createScales(format, 32);
  return {
    type,
    format,
    superGroup: 256,
    decodeSuper: (source, weights, into) => {
      if (format.hasMin && !(into.subMins && into.dmin)) throw noMins(type);
      loop(source, countBlocks(type, source, weights, into.codes), into);
    },
    decode: (source, weights, into) => {
      if (format.hasMin && !into.mins) throw noMins(type);
      const blocks = countBlocks(type, source, weights, into.codes);
      if (blocks > scratch.d.length) scratch = createScales(format, blocks);
      loop(source, blocks, { ...scratch, codes: into.codes });
      multiplyScales(scratch, blocks, into);
    },
  };
}

function noMins(type: string): RangeError {
  return new RangeError(`${type} has mins and needs room for them`);
}

type Scales = Required<Omit<SuperCodes, "codes">>;

function createScales({ group }: CodeFormat, blocks: number): Scales {
  const groups = (blocks * 256) / group;
  return {
    subScales: new Int8Array(groups),
    subMins: new Uint8Array(groups),
    d: new Float32Array(blocks),
    dmin: new Float32Array(blocks),
  };
}

function multiplyScales({ subScales, subMins, d, dmin }: Scales, blocks: number, { scales, mins }: Codes): void {
  const groups = subScales.length / d.length;
  for (let block = 0, at = 0; block < blocks; block++) {
    for (const end = at + groups; at < end; at++) {
      scales[at] = d[block]! * subScales[at]!;
      if (mins) mins[at] = dmin[block]! * subMins[at]!;
    }
  }
}
