/** Shapes of tool calls as data, and a matcher that walks one over a text that arrives in pieces. */
import { createJsonScanner, isSpace } from "./json.ts";
import type { JsonScanner, RawCall } from "./json.ts";

export type PatternItem =
  /** Exactly this text. `optional` items are skipped when the text goes on differently. */
  | { readonly kind: "literal"; readonly text: string; readonly optional?: true }
  | { readonly kind: "space" }
  /** A function name: letters, digits and `_ - . : /`. */
  | { readonly kind: "name" }
  /** One JSON value that looks like calls or, with `any`, any object. */
  | { readonly kind: "json"; readonly any?: true }
  /** Everything up to this text, which is passed over. */
  | { readonly kind: "until"; readonly text: string };

/** What the items of a pattern took out of the text. */
export interface Capture {
  readonly name: string;
  readonly body: string;
}

/** What the parser must know of the tools of the request. */
export interface KnownTools {
  has(name: string): boolean;
  /** The schema says that this argument is a text, whatever it looks like. */
  isText(name: string, argument: string): boolean;
}

export interface CallPattern {
  /** The text that a call begins with; undefined: it may begin an answer without any marker. */
  readonly marker?: string;
  readonly items: readonly PatternItem[];
  /** The calls in what was captured, or undefined when it is no call after all. */
  toCalls(capture: Capture, tools: KnownTools): readonly RawCall[] | undefined;
}

export type Match =
  | { readonly state: "more" }
  /** The text up to `at` is not a call. */
  | { readonly state: "fail"; readonly at: number }
  | { readonly state: "done"; readonly at: number; readonly capture: Capture };

const longestName = 128;

/** `true`: go on, `false`: wait for more text, a number: failed at this place. */
type Step = boolean | number;

/** Walks one pattern over a text. */
export class Matcher {
  readonly pattern: CallPattern;
  #item = 0;
  #at = 0;
  /** Where the present item began. */
  #from = 0;
  #scanner: JsonScanner | undefined;
  #name = "";
  #body = "";

  constructor(pattern: CallPattern) {
    this.pattern = pattern;
  }

  /** `text` is everything since the beginning of the marker; earlier parts must not change. */
  feed(text: string, final: boolean): Match {
    for (;;) {
      const item = this.pattern.items[this.#item];
      if (!item) return { state: "done", at: this.#at, capture: { name: this.#name, body: this.#body } };
      const result = this.#step(item, text, final);
      if (typeof result === "number") return { state: "fail", at: result };
      if (!result) return final ? { state: "fail", at: text.length } : { state: "more" };
    }
  }

  #step(item: PatternItem, text: string, final: boolean): Step {
    switch (item.kind) {
      case "literal":
        return this.#literal(item, text, final);
      case "space":
        while (isSpace(text[this.#at] ?? "")) this.#at++;
        return this.#at < text.length || final ? this.#next(this.#at) : false;
      case "name":
        return this.#readName(text, final);
      case "json":
        return this.#json(item.any === true, text);
      case "until":
        return this.#until(item.text, text);
      default:
        return this.#at;
    }
  }

  #next(at: number): true {
    this.#item++;
    this.#at = at;
    this.#from = at;
    this.#scanner = undefined;
    return true;
  }

  #literal(item: { readonly text: string; readonly optional?: true }, text: string, final: boolean): Step {
    let length = 0;
    while (length < item.text.length && text[this.#at + length] === item.text[length]) length++;
    if (length === item.text.length) return this.#next(this.#at + length);
    const differs = this.#at + length < text.length;
    if (item.optional && (differs || final)) return this.#next(this.#at);
    return differs ? this.#at + length : false;
  }

  #readName(text: string, final: boolean): Step {
    while (isNameChar(text.charCodeAt(this.#at))) this.#at++;
    const length = this.#at - this.#from;
    if (length > longestName) return this.#from + longestName;
    if (this.#at === text.length && !final) return false;
    if (length === 0) return this.#at;
    this.#name = text.slice(this.#from, this.#at);
    return this.#next(this.#at);
  }

  #json(any: boolean, text: string): Step {
    this.#scanner ??= createJsonScanner(any);
    const { state, at } = this.#scanner.scan(text, this.#at);
    this.#at = at;
    if (state === "more") return false;
    if (state === "fail") return at;
    this.#body = text.slice(this.#from, at);
    return this.#next(at);
  }

  #until(wanted: string, text: string): Step {
    const end = text.indexOf(wanted, this.#at);
    if (end < 0) {
      this.#at = Math.max(this.#from, text.length - wanted.length + 1);
      return false;
    }
    this.#body = text.slice(this.#from, end);
    return this.#next(end + wanted.length);
  }
}

function isNameChar(code: number): boolean {
  const letter = (code | 32) >= 97 && (code | 32) <= 122;
  const digit = code >= 48 && code <= 57;
  return letter || digit || code === 95 || code === 45 || code === 46 || code === 58 || code === 47;
}
