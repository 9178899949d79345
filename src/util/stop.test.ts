import { describe, expect, it } from "vitest";
import { createStopMatcher } from "./stop.ts";

function run(pieces: readonly string[], stops: readonly string[]): { shown: string[]; stop: string | undefined } {
  const matcher = createStopMatcher(stops);
  const shown: string[] = [];
  for (const piece of pieces) {
    const step = matcher.push(piece);
    shown.push(step.text);
    if (step.stop !== undefined) return { shown, stop: step.stop };
  }
  shown.push(matcher.flush());
  return { shown, stop: undefined };
}

/** The same rule, one character at a time and without any holding back. */
function reference(text: string, stops: readonly string[]): { text: string; stop: string | undefined } {
  for (let end = 1; end <= text.length; end++) {
    const ending = stops.filter((stop) => stop !== "" && text.slice(0, end).endsWith(stop));
    const stop = ending.sort((a, b) => b.length - a.length)[0];
    if (stop !== undefined) return { text: text.slice(0, end - stop.length), stop };
  }
  return { text, stop: undefined };
}

function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe("stop strings", () => {
  it("pass text through at once when there are none", () => {
    expect(run(["a", "b"], [])).toEqual({ shown: ["a", "b", ""], stop: undefined });
    expect(run(["a"], [""]).shown).toEqual(["a", ""]);
  });

  it("never show a part of a stop string that arrives in pieces", () => {
    expect(run(["Hello E", "N", "D more"], ["END"])).toEqual({ shown: ["Hello ", "", ""], stop: "END" });
  });

  it("give back what only looked like a stop string", () => {
    expect(run(["x E", "N", "joy"], ["END"]).shown.join("")).toBe("x ENjoy");
    expect(run(["half EN"], ["END"]).shown).toEqual(["half ", "EN"]);
  });

  it("hold back no more than they must", () => {
    expect(run(["ab\n", "c"], ["\n\n"]).shown).toEqual(["ab", "\nc", ""]);
  });

  it("find a stop string whose beginning repeats", () => {
    expect(run(["aaa", "ab!"], ["aab"])).toEqual({ shown: ["a", "a"], stop: "aab" });
  });

  it("do not depend on how the text was cut", () => {
    const next = random(7);
    for (let round = 0; round < 3000; round++) {
      const word = (most: number): string => Array.from({ length: 1 + next(most) }, () => "abc"[next(3)]).join("");
      const text = word(24);
      const stops = Array.from({ length: next(4) }, () => word(4));
      const pieces: string[] = [];
      for (let at = 0; at < text.length;) {
        const size = 1 + next(6);
        pieces.push(text.slice(at, at + size));
        at += size;
      }
      const { shown, stop } = run(pieces, stops);
      expect({ text: shown.join(""), stop }, `${text} / ${stops.join(",")}`).toEqual(reference(text, stops));
    }
  });
});
