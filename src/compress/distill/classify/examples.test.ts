import { describe, expect, test } from "vitest";
import { chooseLabels, parseExamples, splitExamples } from "./examples.ts";

const file = (text: string) => ({ name: "mails.txt", text });

describe("texts to learn from", () => {
  test("are plain lines, or lines of JSON of which some have labels", () => {
    expect(parseExamples(file("one\n\n two \r\n"))).toEqual([{ text: "one" }, { text: "two" }]);
    expect(parseExamples(file('{"text": "one", "label": "a"}\n{"text": "two"}'))).toEqual([
      { text: "one", label: "a" },
      { text: "two" },
    ]);
  });

  test("are refused by line", () => {
    expect(() => parseExamples(file('{"text": "one"}\n{"label": "a"}'))).toThrow(
      "mails.txt:2 is no text with a label.",
    );
    expect(() => parseExamples(file('{"text": "one"}\nplain'))).toThrow("mails.txt:2");
  });

  test("say which labels there are, unless they are given", () => {
    const examples = parseExamples(file('{"text": "one", "label": "b"}\n{"text": "two", "label": "a"}'));
    expect(chooseLabels(examples, undefined)).toEqual(["a", "b"]);
    expect(chooseLabels(examples, ["b", "a", "c"])).toEqual(["b", "a", "c"]);
    expect(() => chooseLabels(examples, ["a", "c"])).toThrow('A text has the label "b", which is not one of a, c.');
    expect(() => chooseLabels([{ text: "one" }], undefined)).toThrow("There are 0 labels");
  });

  test("are held out by a fifth of each label, the same for a seed", () => {
    const examples = Array.from({ length: 50 }, (_, index) => ({ text: String(index), label: index < 25 ? "a" : "b" }));
    const { learned, held } = splitExamples(examples, 7);
    expect(held.filter(({ label }) => label === "a")).toHaveLength(5);
    expect(held).toHaveLength(10);
    expect(new Set([...learned, ...held]).size).toBe(50);
    expect(splitExamples(examples, 7).held).toEqual(held);
    expect(splitExamples(examples, 8).held).not.toEqual(held);
  });
});
