import type { GgmlTypeName } from "../../../../formats/gguf/ggml.ts";
import { classicCodecs } from "./classic.ts";
import type { Codec } from "./contract.ts";
import { iq1Codecs } from "./iq1.ts";
import { iq2Codecs } from "./iq2.ts";
import { iq3Codecs } from "./iq3.ts";
import { iq4Codecs } from "./iq4.ts";
import { kCodecs } from "./k.ts";
import { microCodecs } from "./micro.ts";
import { ternaryCodecs } from "./ternary.ts";

const codecs: ReadonlyMap<GgmlTypeName, Codec> = new Map(
  [
    ...classicCodecs,
    ...kCodecs,
    ...iq1Codecs,
    ...iq2Codecs,
    ...iq3Codecs,
    ...iq4Codecs,
    ...microCodecs,
    ...ternaryCodecs,
  ].map((codec) => [codec.type, codec]),
);

/** The codec of a quantized type; undefined for floats, and for types in which no model keeps its weights. */
export function codecOf(type: GgmlTypeName): Codec | undefined {
  return codecs.get(type);
}
