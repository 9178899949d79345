/** What happens to a chat that is too long. Nothing is dropped without a receipt. */
import { HearthError } from "../error.ts";
import type { Message } from "../spec/message.ts";
import { messageText } from "../spec/message.ts";
import type { OverflowPolicy, OverflowReceipt } from "../spec/sampling.ts";

/** Tokens kept free for the answer: what was asked for, at most three quarters of the context; else up to 256. */
export function answerRoom(contextTokens: number, maxTokens: number | undefined): number {
  if (maxTokens === undefined) return Math.min(256, Math.floor(contextTokens / 4));
  return Math.min(Math.max(1, maxTokens), Math.floor((contextTokens * 3) / 4));
}

export function tooLong(promptTokens: number, contextTokens: number, cause?: unknown): HearthError {
  const over = promptTokens - contextTokens + 1;
  return new HearthError(
    "context_too_long",
    `The prompt has ${promptTokens} tokens, ${over} too many: the context holds ${contextTokens}, and the answer needs at least one.`,
    { details: { promptTokens, contextTokens, tokensOver: over }, cause },
  );
}

/** Adds to an engine's refusal by how many tokens the prompt is too long. */
export function explainTooLong(error: unknown): unknown {
  if (!(error instanceof HearthError) || error.code !== "context_too_long") return error;
  const { promptTokens, contextTokens } = error.details;
  if (typeof promptTokens !== "number" || typeof contextTokens !== "number") return error;
  return tooLong(promptTokens, contextTokens, error);
}

export interface FitOptions {
  readonly messages: readonly Message[];
  readonly policy: Exclude<OverflowPolicy, "error">;
  /** Most tokens of the prompt. */
  readonly budget: number;
  readonly contextTokens: number;
  /** Tokens of the rendered prompt of these messages. */
  readonly count: (messages: readonly Message[]) => Promise<number>;
  /** Cuts a text down by about this many tokens. */
  readonly cut: (text: string, dropTokens: number) => Promise<string>;
}

export interface FitResult {
  readonly messages: readonly Message[];
  /** Absent: everything fitted. */
  readonly receipt?: OverflowReceipt;
}

/**
 * Drops whole turns (a message of the user with all that follows it) until the prompt fits: the oldest ones, or with
 * `truncate-middle` those after the first. System messages and the last turn stay. When that is not enough, the last
 * message of the user is cut. Throws `context_too_long` when even that does not help.
 */
export async function fitMessages(options: FitOptions): Promise<FitResult> {
  const { messages, policy, budget, count } = options;
  const before = await count(messages);
  if (before <= budget) return { messages };
  const turns = toTurns(messages);
  const droppable = turns.filter((turn) => !turn.pinned);
  // The first turn is the last one that truncate-middle gives up.
  const order = policy === "truncate-middle" ? [...droppable.slice(1), ...droppable.slice(0, 1)] : droppable;
  const keep = (drop: number): Message[] => {
    const gone = new Set(order.slice(0, drop));
    return turns.filter((turn) => !gone.has(turn)).flatMap((turn) => turn.messages);
  };
  const finish = async (kept: readonly Message[], after?: number): Promise<FitResult> => ({
    messages: kept,
    receipt: receipt(policy, [messages.length - kept.length, before, after ?? (await count(kept))]),
  });
  let low = 1;
  let high = order.length;
  let fitting: { drop: number; tokens: number } | undefined;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const tokens = await count(keep(middle));
    if (tokens <= budget) {
      fitting = { drop: middle, tokens };
      high = middle - 1;
    } else low = middle + 1;
  }
  if (fitting) return finish(keep(fitting.drop), fitting.tokens);
  return finish(await cutLast(keep(order.length), options));
}

function receipt(policy: OverflowPolicy, [dropped, before, after]: readonly [number, number, number]): OverflowReceipt {
  return {
    policy,
    droppedTokens: before - after,
    droppedMessages: dropped,
    promptTokensBefore: before,
    promptTokensAfter: after,
  };
}

interface Turn {
  readonly messages: Message[];
  readonly pinned: boolean;
}

/** System messages stand alone and are pinned; so is the last turn. Calls and their results are in one turn. */
function toTurns(messages: readonly Message[]): Turn[] {
  const groups: Message[][] = [];
  let open: Message[] | undefined;
  for (const message of messages) {
    if (message.role === "system") groups.push([message]);
    else if (message.role === "user" || !open) groups.push((open = [message]));
    else open.push(message);
  }
  return groups.map((group) => ({ messages: group, pinned: group === open || group[0]?.role === "system" }));
}

/** Cuts the last message of the user; of a conversation without one, the last message. */
async function cutLast(messages: readonly Message[], options: FitOptions): Promise<Message[]> {
  const { budget, contextTokens, count, cut } = options;
  const found = messages.findLastIndex(({ role }) => role === "user");
  const at = found < 0 ? messages.length - 1 : found;
  let kept = [...messages];
  let tokens = await count(kept);
  for (let attempt = 0; attempt < 4; attempt++) {
    const target = kept[at];
    const text = target ? longestText(target.content) : "";
    if (!target || text === "") break;
    // Tokens at the cut may change, so a few more are taken than the sum says.
    const shorter = await cut(text, tokens - budget + attempt * 4);
    if (shorter === "") break;
    const content = replaceText(target.content, text, shorter);
    kept = kept.map((message, index) => (index === at ? { ...message, content } : message));
    tokens = await count(kept);
    if (tokens <= budget) return kept;
  }
  const error = tooLong(tokens, contextTokens);
  const reserve = contextTokens - budget;
  throw new HearthError("context_too_long", `${error.message} Dropping the older turns is not enough.`, {
    hint: `Shorten the system messages and the last message, or ask for fewer tokens than ${reserve}.`,
    details: error.details,
  });
}

type Content = Message["content"];

/** Pictures are never cut; of the texts between them the longest is. */
function longestText(content: Content): string {
  if (typeof content === "string" || content.every(({ type }) => type === "text")) return messageText(content);
  const texts = content.map((part) => (part.type === "text" ? part.text : ""));
  return texts.reduce((longest, text) => (text.length > longest.length ? text : longest), "");
}

function replaceText(content: Content, text: string, shorter: string): Content {
  if (typeof content === "string" || content.every(({ type }) => type === "text")) return shorter;
  return content.map((part) => (part.type === "text" && part.text === text ? { ...part, text: shorter } : part));
}

export interface CutOptions {
  readonly policy: Exclude<OverflowPolicy, "error">;
  readonly budget: number;
}

/** Cuts a list of tokens: its beginning, or with `truncate-middle` its middle. */
export function cutTokens(tokens: readonly number[], { policy, budget }: CutOptions): number[] {
  if (tokens.length <= budget) return [...tokens];
  if (policy === "truncate-oldest") return tokens.slice(tokens.length - budget);
  const head = Math.ceil(budget / 2);
  return [...tokens.slice(0, head), ...tokens.slice(tokens.length - (budget - head))];
}
