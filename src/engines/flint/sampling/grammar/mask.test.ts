import { describe, expect, it } from "vitest";
import { HearthError } from "../../../../error.ts";
import { badGrammars } from "../../../../../test/bad-grammars.ts";
import { allowedTokens, control, end, fill, vocabulary } from "../__fixtures__/vocabulary.ts";
import type { OutputFormat } from "../../../../spec/sampling.ts";
import { createFormats } from "../format.ts";
import type { GrammarMask } from "./mask.ts";

const formats = createFormats(vocabulary);

function open(format: OutputFormat): GrammarMask {
  const mask = formats.open(format);
  if (!mask) throw new Error("There is no mask.");
  return mask;
}

function gbnf(grammar: string): GrammarMask {
  return open({ type: "gbnf", grammar });
}

/** Feeds a text byte by byte; undefined: it is not allowed. */
function feed(mask: GrammarMask, text: string): GrammarMask | undefined {
  const copy = mask.clone();
  for (const byte of new TextEncoder().encode(text)) {
    if (!copy.allows(byte)) return undefined;
    copy.accept(byte);
  }
  return copy;
}

function takes(mask: GrammarMask, text: string): boolean {
  return feed(mask, text)?.complete ?? false;
}

function tokensOf(mask: GrammarMask): number[] {
  const bits = new Uint32Array(Math.ceil(vocabulary.size / 32)).fill(0xffffffff);
  fill(mask, bits);
  return allowedTokens(bits);
}

/** All texts of up to `most` letters. */
function* texts(letters: string, most: number): Generator<string> {
  for (
    let level = [""];
    (level[0]?.length ?? 0) <= most;
    level = level.flatMap((text) => Array.from(letters).map((l) => text + l))
  ) {
    yield* level;
  }
}

describe("a grammar over texts", () => {
  it.each([
    ['root ::= "a" | "b" "a"{2}', "a|baa"],
    ['root ::= ("a" | "b")* "b"', "[ab]*b"],
    ['root ::= "a"{2,4} b?\nb ::= "b"+', "a{2,4}(b+)?"],
    ['root ::= [ab]{0,3} "a"{3,}', "[ab]{0,3}a{3,}"],
    ['root ::= x y x\nx ::= "a"?\ny ::= "b"? x', "a?b?a?a?"],
    ['root ::= "a" root | "b"', "a*b"],
    ['root ::= s\ns ::= "a" s? | "a" s "b"? | "ab"', "a+b*"],
    ['root ::= ("a" | "a" | "aa") ("b" | "")', "(a|aa)b?"],
    ['root ::= ""', ""],
    ["root ::= [^b]", "[^b]"],
    ['root ::= ("a"? "b"?)? "a"', "(a?b?)?a"],
  ])("%s takes what %s takes", (grammar, pattern) => {
    const wanted = new RegExp(`^(?:${pattern})$`);
    const mask = gbnf(grammar);
    for (const text of texts("ab", 7)) {
      // The seventh grammar makes no more b than a.
      const balanced =
        !grammar.includes('"b"? |') || (text.match(/b/g)?.length ?? 0) <= (text.match(/a/g)?.length ?? 0);
      expect([text, takes(mask, text)]).toEqual([text, wanted.test(text) && balanced]);
    }
  });

  it.each([
    "\\d{2}-[a-c]*",
    "(yes|no){1,2}",
    "[^a-z\\n]+",
    "a.c",
    "\\w+\\s?x",
    "(a|b(c|d)?)*",
    "^é[😀-😂]?$",
    "",
    "(?:a+?|(?<n>b)){2}",
    "\\u{1F600}\\x41\\u0042\\\\\\$",
  ])("the regular expression %s takes what it takes", (pattern) => {
    const wanted = new RegExp(`^(?:${pattern})$`, "u");
    const mask = open({ type: "regex", pattern });
    const samples = [
      "",
      "a",
      "12-",
      "12-abc",
      "yes",
      "noyes",
      "yesyesno",
      "A1",
      "a\nc",
      "abc",
      "aéc",
      "w x",
      "wx",
      "é",
      "é😁",
      "é😅",
      "bcbd",
      "bd",
      "bb",
      "ab",
      "😀AB\\$",
      "AB",
    ];
    for (const text of [...samples, ...texts("abcd1", 3)])
      expect([text, takes(mask, text)]).toEqual([text, wanted.test(text)]);
  });

  it("nests without limit", () => {
    const mask = gbnf('root ::= "(" root ")" | "x"');
    expect(takes(mask, `${"(".repeat(2000)}x${")".repeat(2000)}`)).toBe(true);
    expect(takes(mask, `${"(".repeat(2000)}x${")".repeat(1999)}`)).toBe(false);
    expect(feed(mask, `${"(".repeat(20)}x${")".repeat(21)}`)).toBeUndefined();
  });

  it("takes whole characters only, and what a class names of them", () => {
    const mask = gbnf('root ::= [^a-z"\\U0001F600]+');
    for (const text of ["é", "中文", "😁", "A\u0000\u007F", "\u{10FFFF}\uD7FF\uE000"])
      expect([text, takes(mask, text)]).toEqual([text, true]);
    for (const text of ["a", '"', "😀", "Az"]) expect([text, takes(mask, text)]).toEqual([text, false]);
    // Overlong, surrogate, and beyond the last character.
    for (const bytes of [[0xc0], [0xe0, 0x80], [0xed, 0xa0], [0xf4, 0x90], [0xf5], [0x80]]) {
      const copy = mask.clone();
      const taken = bytes.every((byte) => copy.allows(byte) && (copy.accept(byte), true));
      expect([bytes, taken]).toEqual([bytes, false]);
    }
    const half = feed(gbnf('root ::= "é"'), "");
    half?.accept(0xc3);
    expect(half && tokensOf(half)).toEqual([0xa9]);
  });

  it("reads escapes as llama.cpp does", () => {
    expect(
      takes(
        gbnf('root ::= "\\x41\\u00e9\\U0001F600\\n\\t\\r\\"\\\\\\[\\]" [\\]\\-a] [\\x30-\\x39]'),
        'Aé😀\n\t\r"\\[]-7',
      ),
    ).toBe(true);
  });
});

describe("a mask", () => {
  const json = open({ type: "json" });

  it("allows exactly the tokens that may come next", () => {
    for (const text of [
      "",
      "{",
      '{"',
      '{"a',
      '{"a":',
      '{"a": "b',
      '{"a": [1',
      '{"a": "\\',
      '{"a": "\\u0',
      '{"a": -',
      '{"a": 1.5e',
    ]) {
      const mask = feed(json, text);
      if (!mask) throw new Error(`${text} is not allowed.`);
      const allowed = new Set(tokensOf(mask));
      for (let token = 0; token < vocabulary.size; token++) {
        expect(allowed.has(token), `${text} and ${token}`).toBe(mask.allows(token));
      }
    }
  });

  it("allows neither control tokens nor those without text, and the end only where the text may end", () => {
    const free = gbnf("root ::= .*");
    const allowed = tokensOf(free);
    expect(allowed).not.toContain(control);
    expect(allowed.includes(end)).toBe(true);
    expect(allowed.length).toBeGreaterThan(vocabulary.size / 2);
    expect(tokensOf(json)).not.toContain(end);
    expect(free.allows(control)).toBe(false);
    expect([free.allows(-1), free.allows(1e6), free.allows(0.5)]).toEqual([false, false, false]);
  });

  it("knows when the text is finished", () => {
    const done = feed(json, '{"a": 1}');
    expect([done?.complete, done?.finished, done && tokensOf(done)]).toEqual([true, true, [end]]);
    const number = feed(gbnf("root ::= [0-9]+"), "42");
    expect([number?.complete, number?.finished]).toEqual([true, false]);
    number?.accept(end);
    expect([number?.finished, number && tokensOf(number)]).toEqual([true, [end]]);
    expect(number?.allows(0x31)).toBe(false);
  });

  it("refuses to accept what it does not allow", () => {
    expect(() => {
      json.clone().accept(0x61);
    }).toThrow("Token 97 is not allowed here.");
  });

  it("forks into two that go on apart", () => {
    const first = feed(json, '{"a": ');
    const second = first?.clone();
    first?.accept(0x5b);
    expect(second && takes(second, '"b"}')).toBe(true);
    expect(first && takes(first, '"b"]}')).toBe(true);
    expect(first && takes(first, '"b"}')).toBe(false);
  });

  it("is none for free text", () => {
    expect([formats.open({ type: "text" }), formats.open(undefined)]).toEqual([undefined, undefined]);
  });
});

describe("hostile grammars", () => {
  it.each(badGrammars)("with %s are refused", (_, grammar) => {
    expect(() => gbnf(grammar)).toThrow(expect.objectContaining({ code: "grammar_invalid" }));
  });

  it.each([
    ["a token", 'root ::= "a" <|end|>', /token <\|end\|>.* offset 13/],
    ["any token but one", "root ::= !<[3]>", /cannot enforce/],
    ["half a surrogate pair", 'root ::= "\\ud800"', /no character at offset 10/],
    ["an unknown escape", 'root ::= "\\q"', /no character at offset 10/],
    ["a class of surrogates", "root ::= [\\ud800-\\udbff]", /no character/],
    ["a class the wrong way round", "root ::= [z-a]", /wrong way round/],
    ["everything excluded", "root ::= [^\\x00-\\U0010FFFF]", /holds no character/],
  ])("with %s are refused, naming it", (_, grammar, message) => {
    expect(() => gbnf(grammar)).toThrow(message);
    expect(() => gbnf(grammar)).toThrow(expect.objectContaining({ code: "grammar_invalid" }));
  });

  /** Feeds letters as long as they are taken, and says what stops it: a refusal, the grammar or the end. */
  function push(grammar: string, letters: string, most: number): string {
    try {
      const mask = gbnf(grammar);
      const bits = new Uint32Array(Math.ceil(vocabulary.size / 32));
      for (let index = 0; index < most; index++) {
        fill(mask, bits);
        const byte = letters.charCodeAt(index % letters.length);
        if (!mask.allows(byte)) return "stopped";
        mask.accept(byte);
      }
      return "went on";
    } catch (error) {
      if (error instanceof HearthError) return error.message;
      throw error;
    }
  }

  it("that double their readings with every character stay cheap or are refused", () => {
    expect(push('root ::= "a" root x | "a" root y | "b"\nx ::= "c"\ny ::= "c" "c"', "a", 100)).toBe("went on");
    expect(push('root ::= s\ns ::= "a" | "a" s | "a" s s | "a" s s s', "a", 40)).toBe("went on");
    expect(push('root ::= ("a" | "aa" | "aaa")* "b"', "a", 300)).toBe("went on");
    expect(push(`root ::= ${'("a" | "b")? '.repeat(80)}"c"`, "ab", 60)).toBe("went on");
  });

  it("that look small and are large take bounded time", () => {
    const wide = Array.from(
      { length: 300 },
      (_, index) =>
        `r${index} ::= ${Array.from({ length: 20 }, (_, k) => `r${Math.min(300, index + k + 1)}`).join(" | ")}`,
    );
    expect(push(`root ::= r0 root | r0\n${wide.join("\n")}\nr300 ::= "a"`, "a", 20)).toBe("went on");
    const deep = Array.from({ length: 1000 }, (_, index) => `r${index} ::= r${index + 1}? r${index + 1}`);
    expect(push(`root ::= r0\n${deep.join("\n")}\nr1000 ::= "a"`, "a", 20)).toMatch(/too many ways/);
  });
});
