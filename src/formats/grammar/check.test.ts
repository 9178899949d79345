import { describe, expect, it } from "vitest";
import { checkGrammar } from "./check.ts";
import { badGrammars } from "../../../test/bad-grammars.ts";
import { jsonObjectGrammar } from "./gbnf.ts";
import { schemaGrammar } from "./schema.ts";

describe("a grammar", () => {
  it.each(badGrammars)("with %s is refused", (_, grammar, message) => {
    expect(() => checkGrammar(grammar)).toThrow(message);
    expect(() => checkGrammar(grammar)).toThrow(expect.objectContaining({ code: "grammar_invalid" }));
  });

  it.each([
    'root ::= "yes" | "no" ("!" | "?"){2}',
    '# list\nroot ::= item+ # one or more\nitem ::= "- " [^\\r\\n\\x0b]+ "\\n"\n\n',
    'root ::= (\n  "a" |\n  "b"\n)\n',
    'root ::=\n "a" |\n "b"',
    "root ::= . [^] [\\]] [a-z\\-]{2,} x?\nx ::= <|end|> | !<[3]>",
    'root ::= "\\"" [^"\\\\]* "\\""',
    'root ::= expr\nexpr ::= term ([-+*/] term)*\nterm ::= [0-9]+ | "(" expr ")"',
    'root ::= ""',
    jsonObjectGrammar(),
    schemaGrammar({
      type: "object",
      properties: { a: { $ref: "#" }, b: {}, c: { type: "array", items: { type: "integer", minimum: -3 } } },
    }),
  ])("that is sound is not: %s", (grammar) => {
    expect(() => checkGrammar(grammar)).not.toThrow();
  });

  it("is checked in time that grows with its length", () => {
    const long = `root ::= ${Array.from({ length: 9000 }, () => '("a" | "b")').join(" ")}`;
    const started = performance.now();
    checkGrammar(long);
    checkGrammar(
      Array.from({ length: 3999 }, (_, index) => `r${index} ::= r${index + 1}?`)
        .join("\n")
        .replace("r0", "root") + '\nr3999 ::= "a"?',
    );
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
