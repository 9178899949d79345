import { HearthError } from "../../../error.ts";
import type { EncodeOptions, Tokenizer } from "./contract.ts";
import { control, unknown } from "./kinds.ts";
import type { Roles } from "./kinds.ts";
import type { Before } from "./model.ts";
import type { Pieces } from "./pieces.ts";
import { fromUtf8 } from "./utf8.ts";

export interface TokenizerParts {
  readonly pieces: Pieces;
  /** By token; see `kinds.ts`. */
  readonly kinds: Uint8Array;
  readonly roles: Roles;
  readonly endTokens: ReadonlySet<number>;
  readonly addBos: boolean;
  readonly addEos: boolean;
  readonly addSep: boolean;
  /** Appends the tokens of a text without lone surrogates. */
  readonly encode: (text: string, place: Place, output: number[]) => void;
  readonly tokenBytes: (id: number) => Uint8Array;
  /** Takes from a decoded text what encoding had added to it. */
  readonly trim: (text: string) => string;
}

export interface Place {
  /** Control tokens that the text spells become tokens. */
  readonly special: boolean;
  readonly before: Before;
}

/** Text that takes more is refused: positions in it are kept in 27 bits. */
const mostUnits = 2 ** 25;

export function createTokenizer(parts: TokenizerParts): Tokenizer {
  const { pieces, kinds, roles, endTokens, addBos, addEos, addSep } = parts;
  const check = (id: number): number => {
    if (Number.isInteger(id) && id >= 0 && id < pieces.size) return id;
    throw new HearthError("bad_request", `Token ${id} is not in the model's vocabulary of ${pieces.size}.`);
  };
  const tokenBytes = (id: number): Uint8Array => parts.tokenBytes(check(id));
  return {
    size: pieces.size,
    bos: roles.bos,
    eos: roles.eos,
    sep: roles.sep,
    cls: roles.cls,
    pad: roles.pad,
    unk: roles.unk,
    mask: roles.mask,
    addBos,
    addEos,
    addSep,
    endTokens,
    encode: (text, options) => encode(parts, text, options),
    tokenBytes,
    isControl: (id) => ((kinds[check(id)] ?? 0) & (control | unknown)) !== 0,
    decode: (ids) => parts.trim(fromUtf8(concat(ids.map(tokenBytes)))),
  };
}

function encode(parts: TokenizerParts, source: string | Uint8Array, options: EncodeOptions): number[] {
  const text = typeof source === "string" ? source.toWellFormed() : fromUtf8(source);
  if (text.length > mostUnits) {
    throw new HearthError("bad_request", `A text of ${text.length} characters is too long to be tokenized at once.`);
  }
  const output: number[] = [];
  parts.encode(text, { special: options.special, before: options.start ? "nothing" : "text" }, output);
  return output;
}

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
