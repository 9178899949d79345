import { repetitions } from "./dry.ts";
import type { History, TokenBytes } from "./history.ts";
import type { SamplingPlan } from "./plan.ts";

/** What was changed in a row of logits, so that it can be changed back. */
export interface Edits {
  readonly tokens: number[];
  readonly logits: number[];
}

export function createEdits(): Edits {
  return { tokens: [], logits: [] };
}

export interface EditContext {
  readonly plan: SamplingPlan;
  readonly history: History;
  readonly bytesOf: TokenBytes;
}

/** Biases, then penalties for repeated, frequent and present tokens, then DRY, each on what the one before left. */
export function applyEdits(row: Float32Array, edits: Edits, { plan, history, bytesOf }: EditContext): void {
  const add = (token: number, change: number): void => {
    if (token < row.length) edit(row, edits, token, (row[token] ?? 0) + change);
  };
  for (const [token, value] of plan.bias) add(token, value);
  if (plan.penalties) {
    const { repeat, presence, frequency } = plan.penalties;
    for (const [token, count] of history.counts) {
      if (token >= row.length) continue;
      const logit = row[token] ?? 0;
      const scaled = logit <= 0 ? logit * repeat : logit / repeat;
      edit(row, edits, token, scaled - count * frequency - presence);
    }
  }
  if (!plan.dry) return;
  for (const [token, penalty] of repetitions(history, plan.dry, bytesOf)) add(token, -penalty);
}

function edit(row: Float32Array, edits: Edits, token: number, logit: number): void {
  edits.tokens.push(token);
  edits.logits.push(row[token] ?? 0);
  row[token] = logit;
}

/** Leaves the row as the model wrote it. */
export function undoEdits(row: Float32Array, { tokens, logits }: Edits): void {
  for (let index = tokens.length - 1; index >= 0; index--) row[tokens[index] ?? 0] = logits[index] ?? 0;
  tokens.length = 0;
  logits.length = 0;
}
