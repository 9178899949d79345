/** Prompts that stand before these in the queue and have no more tokens than this together share the steps. */
const windowTokens = 2048;
/** A prompt is about as short as the shortest up to this many times its length. */
const alike = 2;

export interface Prompt {
  /** Tokens that the cache did not have, and how many of them are still to be computed. */
  readonly length: number;
  readonly left: number;
}

/**
 * Rows of the next step for each prompt, in the order of arrival. Prompts about as short as the shortest end in the same
 * step: whoever ended before the others would answer with few rows a step, which cost nearly as much as many. What room
 * is left goes to the others in their order.
 */
export function shareRows(prompts: readonly Prompt[], room: number): number[] {
  const group = shortest(prompts);
  const total = prompts.reduce((sum, { left }, index) => sum + (group.has(index) ? left : 0), 0);
  const part = Math.min(1, room / total);
  const rows = prompts.map(({ left }, index) => (group.has(index) ? Math.floor(left * part) : 0));
  let rest = room - rows.reduce((sum, count) => sum + count, 0);
  const order = [...prompts.keys()].toSorted((a, b) => Number(group.has(b)) - Number(group.has(a)));
  for (const index of order) {
    const more = Math.min(rest, (prompts[index]?.left ?? 0) - (rows[index] ?? 0));
    rows[index] = (rows[index] ?? 0) + more;
    rest -= more;
  }
  return rows;
}

function shortest(prompts: readonly Prompt[]): ReadonlySet<number> {
  let sum = 0;
  const end = prompts.findIndex(({ left }, index) => (sum += left) > windowTokens && index > 0);
  const window = end < 0 ? prompts : prompts.slice(0, end);
  const least = Math.min(...window.map(({ length }) => length));
  return new Set([...window.keys()].filter((index) => (window[index]?.length ?? 0) <= least * alike));
}
