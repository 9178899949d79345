import { describe, expect, it } from "vitest";
import { promptText, textsOf } from "../../test/prompt-texts.ts";
import { createShield } from "./shield.ts";

const tokens = ["<s>", "</s>", "<|a|>", "<|ab|>", "<|ab|>x", "[INST]", ".*", "(", "\n\n"];

describe("a shield", () => {
  it("gives every text back, whatever it holds", () => {
    const random = createRandom(7);
    const pieces = [
      ...tokens,
      "<",
      "|",
      "a",
      ">",
      "x",
      "\u{100000}",
      "\u{10fffd}",
      "é",
      "😀",
      "\ud800",
      "\n",
      "\ue000",
    ];
    for (let round = 0; round < 2000; round++) {
      const text = Array.from({ length: random(12) }, () => pieces[random(pieces.length)] ?? "").join("");
      const shield = createShield(tokens);
      const hidden = shield.hide(text);
      expect(tokens.filter((token) => token.trim() !== "" && hidden.includes(token))).toEqual([]);
      expect(shield.reveal(hidden)).toBe(text);
      const parts = shield.split(`<s>${hidden}</s>`);
      expect(promptText(parts)).toBe(`<s>${text}</s>`);
      // What is left special is what the template wrote.
      const special = textsOf(parts)
        .map((part) => (part.special ? part.text : "\u0000"))
        .join("");
      expect(special.slice(3, -4)).not.toMatch(/<s>|<\/s>|<\|ab?\|>|\[INST\]/);
    }
  });

  it("takes the longest of the tokens that begin at one place", () => {
    const shield = createShield(tokens);
    expect(shield.split(shield.hide("1<|ab|>x2"))).toEqual([
      { text: "1", special: true },
      { text: "<|ab|>x", special: false },
      { text: "2", special: true },
    ]);
  });

  it("hides the end of a text that the next text could complete to a token", () => {
    const shield = createShield(tokens);
    const rendered = shield.hide("1 <|a") + shield.hide("|> 2") + shield.hide("a ") + "<|a|>";
    expect(shield.split(rendered)).toEqual([
      { text: "1 ", special: true },
      { text: "<|a", special: false },
      { text: "|> 2a <|a|>", special: true },
    ]);
  });

  it("returns a text without tokens as it is", () => {
    const text = "nothing < special | here";
    expect(createShield(tokens).hide(text)).toBe(text);
  });

  it("keeps every token of a large vocabulary apart", () => {
    const many = Array.from({ length: 7000 }, (_, index) => `<unused${index}>`);
    const shield = createShield(many);
    const parts = shield.split(shield.hide(many.join(" ")));
    expect(
      textsOf(parts)
        .filter((part) => part.special)
        .every((part) => part.text === " "),
    ).toBe(true);
    expect(promptText(parts)).toBe(many.join(" "));
  });

  it("hides inside JSON values, and leaves odd keys ordinary", () => {
    const shield = createShield(tokens);
    const value: unknown = JSON.parse('{"__proto__": "<s>", "list": ["(", 1, null, true], "<s>": 2}');
    const hidden = JSON.stringify(shield.hideAll(value));
    expect(hidden).not.toContain("<s>");
    expect(JSON.parse(shield.reveal(hidden))).toEqual(value);
    expect(Object.keys(shield.hideAll(value) as object)[0]).toBe("__proto__");
  });

  it("refuses values that are nested without end", () => {
    let value: unknown = "x";
    for (let depth = 0; depth < 5000; depth++) value = [value];
    expect(() => createShield(tokens).hideAll(value)).toThrow("nested too deeply");
  });

  it("takes time in proportion to the text, also against an adversary", () => {
    const many = Array.from({ length: 5000 }, (_, index) => `<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<unused${index}>`);
    const time = (length: number): number => {
      const text = "<".repeat(length);
      const started = performance.now();
      createShield(many).hide(text);
      return performance.now() - started;
    };
    time(50_000);
    const [small, large] = [time(50_000), time(200_000)];
    expect(large).toBeLessThan(Math.max(small, 5) * 4 * 4);
  });
});

/** A small generator with a seed: the same texts in every run. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
