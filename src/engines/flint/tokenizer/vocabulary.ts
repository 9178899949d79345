/** What tokens say, as plain data: a thread that has it can read tokens, and needs no tokenizer. */
import { HearthError } from "../../../error.ts";
import { decodeByteLevel } from "./byte-level.ts";
import type { Tokenizer } from "./contract.ts";
import { byteToken, control, normal, unknown, userDefined } from "./kinds.ts";
import { byteOfName, toUtf8 } from "./utf8.ts";
import { blank } from "./words.ts";

export interface VocabularyData {
  /** Bytes of all texts, and where each begins; one element more than there are tokens. */
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
  /** By token; see `kinds.ts`. */
  readonly kinds: Uint8Array;
  /** Texts are written in byte characters. */
  readonly byteLevel: boolean;
  readonly endTokens: ReadonlySet<number>;
}

export type Vocabulary = Pick<Tokenizer, "size" | "tokenBytes" | "isControl" | "endTokens">;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const empty = new Uint8Array(0);

export function openVocabulary({ bytes, starts, kinds, byteLevel, endTokens }: VocabularyData): Vocabulary {
  const size = starts.length - 1;
  const check = (id: number): number => {
    if (Number.isInteger(id) && id >= 0 && id < size) return id;
    throw new HearthError("bad_request", `Token ${id} is not in the model's vocabulary of ${size}.`);
  };
  return {
    size,
    endTokens,
    isControl: (id) => ((kinds[check(id)] ?? 0) & (control | unknown)) !== 0,
    tokenBytes(id) {
      const kind = kinds[check(id)] ?? 0;
      const own = bytes.subarray(starts[id], starts[id + 1]);
      if (kind & (control | unknown | userDefined)) return own;
      const text = decoder.decode(own);
      if (kind & byteToken) return Uint8Array.of(byteOfName(text) ?? 0);
      if ((kind & normal) === 0) return empty;
      return byteLevel ? decodeByteLevel(text) : toUtf8(text.replaceAll(blank, " "));
    },
  };
}
