import type { OverflowReceipt } from "../../spec/sampling.ts";

/** Header that says how many prompt tokens an overflow policy dropped; nothing when none were. */
export function receiptHeaders(receipt: OverflowReceipt | undefined): Readonly<Record<string, string>> {
  return receipt ? { "x-hearth-dropped-tokens": String(receipt.droppedTokens) } : {};
}

/** The receipt in wire spelling. */
export function toReceiptBody(receipt: OverflowReceipt): Readonly<Record<string, unknown>> {
  return {
    policy: receipt.policy,
    dropped_tokens: receipt.droppedTokens,
    dropped_messages: receipt.droppedMessages,
    prompt_tokens_before: receipt.promptTokensBefore,
    prompt_tokens_after: receipt.promptTokensAfter,
  };
}
