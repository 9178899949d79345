/** Tokens by number while a vocabulary is put together. */
import { printable } from "../../gguf/malformed.ts";
import { malformed } from "../json.ts";

/** `tokenizer.ggml.token_type`. */
export const tokenTypes = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

export interface Token {
  readonly text: string;
  type: number;
  score: number;
}

/** So far no vocabulary has a million tokens. */
const mostTokens = 2 ** 24;

export class TokenTable {
  private readonly tokens = new Map<number, Token>();
  private readonly ids = new Map<string, number>();
  private readonly file: string;

  /** `file`: what messages call the source. */
  constructor(file: string) {
    this.file = file;
  }

  /** One more than the last id. */
  size = 0;

  at(id: number): Token | undefined {
    return this.tokens.get(id);
  }

  find(text: string | undefined): number | undefined {
    return text === undefined ? undefined : this.ids.get(text);
  }

  /** Throws `model_malformed` for an id that is none, and for one that two texts have. */
  set(id: unknown, text: unknown, type: number, score = 0): void {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= mostTokens) {
      throw malformed(this.file, "vocab", `gives "${printable(String(text), 20)}" an id that is none`);
    }
    if (typeof text !== "string") throw malformed(this.file, "vocab", `has something for token ${id} that is no text`);
    const known = this.tokens.get(id);
    if (known && known.text !== text) {
      const both = `"${printable(known.text, 20)}" and "${printable(text, 20)}"`;
      throw malformed(this.file, "vocab", `gives ${both} the id ${id}`);
    }
    if (known) known.type = type;
    else this.tokens.set(id, { text, type, score });
    this.size = Math.max(this.size, id + 1);
    this.ids.set(text, id);
  }
}
