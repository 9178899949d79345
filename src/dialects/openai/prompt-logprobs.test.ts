import { describe, expect, test } from "vitest";
import type { PromptLogprobs, TokenText } from "../../spec/event.ts";
import { toEchoLogprobs, toPromptLogprobs } from "./prompt-logprobs.ts";

function token(text: string | readonly number[], id = 7): TokenText {
  const bytes = typeof text === "string" ? [...Buffer.from(text)] : text;
  return { token: id, text: Buffer.from(bytes).toString(), bytes };
}

function promptOf(first: TokenText, ...rest: readonly TokenText[]): PromptLogprobs {
  return { first, entries: rest.map((each) => ({ ...each, logprob: -1, rank: 3, top: [] })) };
}

describe("the repeated prompt of a completion", () => {
  const face = [...Buffer.from("😀")];

  test.each<[string, string, readonly TokenText[], readonly number[]]>([
    ["its tokens", "Once upon", [token("Once"), token(" upon")], [0, 4]],
    ["a token that begins every text", "Once upon", [token("<s>"), token("Once"), token(" upon")], [0, 0, 4]],
    ["that token and its name", "<s>Once", [token("<s>"), token("<"), token("s>"), token("Once")], [0, 0, 1, 3]],
    ["its name as a token of the text", "<s>Once", [token("<s>"), token("Once")], [0, 3]],
    ["a space that the vocabulary adds", "Once", [token("<s>"), token(" Once")], [0, 0]],
    ["that space as a token of its own", "Once", [token("<s>"), token(" "), token("Once")], [0, 0, 0]],
    ["a space of the text", " Once", [token("<s>"), token(" Once")], [0, 0]],
    ["control tokens that are not shown", "ab", [token("a"), token("<|im_end|>"), token("b")], [0, 1, 1]],
    [
      "a character in pieces",
      "a😀b",
      [token("a"), token(face.slice(0, 1)), token(face.slice(1)), token("b")],
      [0, 1, 1, 3],
    ],
    ["half of a surrogate pair", "a\ud83db", [token("a\ufffd"), token("b")], [0, 2]],
    ["nothing", "", [token("<s>")], [0]],
  ])("says where the tokens are in a text of %s", (_, text, [first, ...rest], expected) => {
    const prompt = promptOf(first ?? token(""), ...rest);
    expect(toEchoLogprobs(prompt, { text, count: 0 }).text_offset).toEqual(expected);
  });

  test("has no logprob for its first token, and the likeliest tokens for the others", () => {
    const other = { ...token(" down", 8), logprob: -0.5 };
    const prompt: PromptLogprobs = {
      first: token("Once"),
      entries: [
        { ...token(" upon"), logprob: -2, top: [other, { ...token(" in", 9), logprob: -1 }] },
        { ...token(" a"), logprob: -Infinity, top: [{ ...token(" a"), logprob: -0.1 }] },
      ],
    };
    expect(toEchoLogprobs(prompt, { text: "Once upon a", count: 1 })).toEqual({
      tokens: ["Once", " upon", " a"],
      token_logprobs: [null, -2, -9999],
      top_logprobs: [null, { " down": -0.5, " upon": -2 }, { " a": -0.1 }],
      text_offset: [0, 4, 9],
    });
  });
});

describe("vLLM's prompt_logprobs", () => {
  test("have the token of the prompt and the likeliest ones, by their ids", () => {
    const top = [
      { ...token("b", 11), logprob: -0.1 },
      { ...token("c", 12), logprob: -0.2 },
    ];
    const entries = [
      { ...token("a", 10), logprob: -4, rank: 9, top },
      { ...token("c", 12), logprob: -0.2, rank: 2, top },
      { ...token("d", 13), logprob: -Infinity, top },
    ];
    expect(toPromptLogprobs({ first: token("x"), entries }, 1)).toEqual([
      null,
      {
        10: { logprob: -4, rank: 9, decoded_token: "a" },
        11: { logprob: -0.1, rank: 1, decoded_token: "b" },
      },
      {
        11: { logprob: -0.1, rank: 1, decoded_token: "b" },
        12: { logprob: -0.2, rank: 2, decoded_token: "c" },
      },
      {
        11: { logprob: -0.1, rank: 1, decoded_token: "b" },
        13: { logprob: -9999, rank: null, decoded_token: "d" },
      },
    ]);
  });
});
