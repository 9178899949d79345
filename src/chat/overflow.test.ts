import { describe, expect, it } from "vitest";
import { HearthError } from "../error.ts";
import type { Message } from "../spec/message.ts";
import { messageText } from "../spec/message.ts";
import { answerRoom, cutTokens, explainTooLong, fitMessages } from "./overflow.ts";
import type { FitResult } from "./overflow.ts";

/** One token a word, and one for each message. */
function countWords(messages: readonly Message[]): number {
  return messages.reduce((sum, { content }) => sum + 1 + words(messageText(content)).length, 0);
}

function words(text: string): string[] {
  return text.split(" ").filter((word) => word !== "");
}

const user = (content: string): Message => ({ role: "user", content });
const assistant = (content: string): Message => ({ role: "assistant", content });
const system: Message = { role: "system", content: "s s" };

interface Fitted extends FitResult {
  readonly counts: number;
}

async function fit(
  messages: readonly Message[],
  budget: number,
  policy: "truncate-oldest" | "truncate-middle" = "truncate-oldest",
): Promise<Fitted> {
  let counts = 0;
  const result = await fitMessages({
    messages,
    policy,
    budget,
    contextTokens: budget + 10,
    count: async (kept) => {
      counts++;
      return countWords(kept);
    },
    cut: async (text, drop) => words(text).slice(drop).join(" "),
  });
  return { ...result, counts };
}

const texts = ({ messages }: FitResult): string[] => messages.map(({ content }) => messageText(content));

/** System 3 tokens, then turns of 6 tokens: u1 a1, u2 a2 … and a last question of 3. */
function conversation(turns: number): Message[] {
  const middle = Array.from({ length: turns }, (_, index) => [user(`u${index} x`), assistant(`a${index} x`)]).flat();
  return [system, ...middle, user("last q")];
}

describe("a conversation that is too long", () => {
  it("is left alone, without a receipt, when it fits", async () => {
    const messages = conversation(3);
    const result = await fit(messages, countWords(messages));
    expect(result.messages).toBe(messages);
    expect(result.receipt).toBeUndefined();
    expect(result.counts).toBe(1);
  });

  it("loses its oldest turns first, never the system text or the last question", async () => {
    const messages = conversation(10);
    const result = await fit(messages, 24);
    expect(texts(result)).toEqual(["s s", "u7 x", "a7 x", "u8 x", "a8 x", "u9 x", "a9 x", "last q"]);
    expect(result.receipt).toEqual({
      policy: "truncate-oldest",
      droppedTokens: 42,
      droppedMessages: 14,
      promptTokensBefore: 66,
      promptTokensAfter: 24,
    });
  });

  it("keeps its first turn when the middle is to go", async () => {
    const result = await fit(conversation(10), 24, "truncate-middle");
    expect(texts(result)).toEqual(["s s", "u0 x", "a0 x", "u8 x", "a8 x", "u9 x", "a9 x", "last q"]);
    expect(result.receipt?.policy).toBe("truncate-middle");
  });

  it("keeps calls and their results together", async () => {
    const call: Message = { role: "assistant", content: "", toolCalls: [{ id: "1", name: "f", arguments: "{}" }] };
    const result: Message = { role: "tool", content: "r r r", toolCallId: "1" };
    const messages = [user("old"), call, result, assistant("done"), user("new"), call, result];
    for (let budget = 8; budget < 20; budget++) {
      const { messages: kept } = await fit(messages, budget);
      const calls = kept.filter(({ role }) => role === "assistant").length;
      expect(kept.filter(({ role }) => role === "tool").length).toBe(Math.min(calls, kept.length > 4 ? 2 : 1));
      expect(kept.at(-1)).toBe(result);
    }
  });

  it("drops no more than it must, for every budget, with few counts", async () => {
    const messages = conversation(64);
    for (let budget = 6; budget < countWords(messages); budget += 7) {
      for (const policy of ["truncate-oldest", "truncate-middle"] as const) {
        const { receipt, counts } = await fit(messages, budget, policy);
        expect(receipt?.promptTokensAfter).toBeLessThanOrEqual(budget);
        expect(receipt?.promptTokensAfter).toBeGreaterThan(budget - 6);
        expect(counts).toBeLessThanOrEqual(10);
      }
    }
  });

  it("has the beginning of its last message cut when nothing else is left", async () => {
    const result = await fit([system, user("old"), assistant("old"), user("1 2 3 4 5 6 7 8 9 10")], 8);
    expect(texts(result)).toEqual(["s s", "7 8 9 10"]);
    expect(result.receipt).toMatchObject({ droppedMessages: 2, promptTokensAfter: 8 });
  });

  it("is refused when the system text alone is too long", async () => {
    const long: Message = { role: "system", content: "s ".repeat(50) };
    const refusal = fit([long, user("1 2 3")], 20);
    await expect(refusal).rejects.toMatchObject({ code: "context_too_long" });
    await expect(refusal).rejects.toThrow("not enough");
  });
});

describe("the error of a prompt that is too long", () => {
  it("says by how many tokens", () => {
    const cause = new HearthError("context_too_long", "too long", {
      details: { promptTokens: 130, contextTokens: 100 },
    });
    const error = explainTooLong(cause) as HearthError;
    expect(error.message).toContain("130 tokens, 31 too many");
    expect(error.details).toEqual({ promptTokens: 130, contextTokens: 100, tokensOver: 31 });
    expect(error.cause).toBe(cause);
  });

  it("leaves other errors alone", () => {
    const other = new HearthError("engine_failed", "died");
    expect(explainTooLong(other)).toBe(other);
  });
});

describe("room for the answer", () => {
  it("is what was asked for, within reason, and some by default", () => {
    expect(answerRoom(4096, undefined)).toBe(256);
    expect(answerRoom(512, undefined)).toBe(128);
    expect(answerRoom(4096, 1000)).toBe(1000);
    expect(answerRoom(4096, 100_000)).toBe(3072);
    expect(answerRoom(4096, 0)).toBe(1);
  });
});

describe("cut tokens", () => {
  it("keep the end, or both ends", () => {
    const tokens = [1, 2, 3, 4, 5, 6];
    expect(cutTokens(tokens, { policy: "truncate-oldest", budget: 3 })).toEqual([4, 5, 6]);
    expect(cutTokens(tokens, { policy: "truncate-middle", budget: 3 })).toEqual([1, 2, 6]);
    expect(cutTokens(tokens, { policy: "truncate-middle", budget: 6 })).toEqual(tokens);
  });
});
