import type { Hearth } from "../../tasks/contract.ts";

/**
 * The tokens of each text, as many as the model computes for it: those that it puts around a text are counted, and
 * stand at the end as its first. Which ones they are plays no part in how long they take.
 */
export async function tokenRows(hearth: Hearth, model: string, texts: readonly string[]): Promise<number[][]> {
  const rows: number[][] = [];
  const lease = await hearth.runtime.acquire({ model, keepAliveMs: Infinity });
  try {
    for (const text of texts) {
      const ids = await lease.loaded.tokenize([{ text, special: false }]);
      const tokens = (await lease.loaded.embed?.({ texts: [text] }))?.tokens ?? ids.length;
      const frame = Array<number>(Math.max(0, tokens - ids.length)).fill(ids[0] ?? 0);
      rows.push([...ids, ...frame]);
    }
  } finally {
    lease.release();
  }
  return rows;
}
