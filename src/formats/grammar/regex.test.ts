import { describe, expect, it } from "vitest";
import { checkGrammar } from "./check.ts";
import { regexGrammar, regexString } from "./regex.ts";

describe("a regular expression", () => {
  it.each([
    "(?=a)",
    "a(?!b)",
    "(?<=a)b",
    "(a)\\1",
    "\\bword",
    "a^b",
    "a$b",
    "\\p{L}",
    "(",
    "a)",
    "[a",
    "[z-a]",
    "a{2,1}",
    "*",
    "\\",
    "^a|b$",
    "x{",
    "[]",
    "(?i:a)",
    "\\k<n>",
    "(".repeat(200),
  ])("%s is refused with its offset", (pattern) => {
    const refused = expect.objectContaining({
      code: "grammar_invalid",
      details: { offset: expect.any(Number) as number },
    });
    expect(() => regexGrammar(pattern)).toThrow(refused);
    expect(() => regexString(pattern)).toThrow(refused);
  });

  it("becomes a grammar that spells it out", () => {
    expect(regexGrammar("^[a-c]{2}(x|\\d+)?$")).toBe("root ::= ([a-c]){2} (([x]) | ([0-9])+)?\n");
    expect(regexGrammar("")).toBe('root ::= ""\n');
    for (const pattern of ["\\w+@\\w+\\.com", "[^\\x00-\\u{1F600}]", "(?:a|(b|)c){2,5}?", "é+\\$"]) {
      expect(() => checkGrammar(regexGrammar(pattern))).not.toThrow();
    }
  });

  it("may be found anywhere in a JSON string, whose special characters are escaped", () => {
    expect(regexString('^["\\\\a]$')).toBe(String.raw`(([a] | "\\\"" | "\\\\"))`);
    expect(regexString("^\\n\\x01$")).toBe(String.raw`(("\\n") ("\\u0001"))`);
    const anywhere = regexString("b");
    expect(anywhere.startsWith("([")).toBe(true);
    expect(anywhere).toContain("(([b]))");
  });
});
