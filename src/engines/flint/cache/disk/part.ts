/** Finds a block by the beginning of its tokens. */
import type { BlockPart } from "../store.ts";
import { leastPart } from "../store.ts";
import type { BlockFolder } from "./folder.ts";
import { decodeTokens, startBytes } from "./header.ts";
import type { Keys } from "./key.ts";
import { likeness, sketchOf } from "./key.ts";

/** Files that are opened for one question. What is left out begins with fewer than `leastPart` tokens more. */
const mostOpened = 16;

export interface PartQuestion {
  readonly folder: BlockFolder;
  readonly keys: Keys;
  readonly parent: string | undefined;
  readonly root: string;
  readonly tokens: readonly number[];
}

export function findPart(question: PartQuestion): BlockPart | undefined {
  const { tokens } = question;
  let best: BlockPart | undefined;
  for (const { key, alike } of candidates(question)) {
    if ((best?.tokens ?? 0) >= Math.min(tokens.length, (alike + 1) * leastPart)) break;
    const count = countShared(readTokens(question, key), tokens);
    if (count >= leastPart && count > (best?.tokens ?? 0)) best = { key, tokens: count };
  }
  return best;
}

/** Names of its family that may begin with the tokens, the most promising first. */
function candidates({ folder, keys, parent, root, tokens }: PartQuestion): { key: string; alike: number }[] {
  if (tokens.length < leastPart) return [];
  const { groups, name } = keys.family(parent, root);
  const sketch = sketchOf(tokens);
  return groups
    .flatMap((group) => folder.list(group, group + name))
    .map((key) => ({ key, alike: likeness(key, sketch) }))
    .filter(({ alike }) => alike > 0)
    .toSorted((left, right) => right.alike - left.alike)
    .slice(0, mostOpened);
}

/** The tokens of a block: those that its name stands for, whatever the file says. */
function readTokens({ folder, keys, parent, root }: PartQuestion, key: string): readonly number[] {
  const start = Buffer.alloc(startBytes);
  if (!folder.readStart(key, start)) return [];
  const tokens = decodeTokens(start);
  return keys.key(parent, root, tokens) === key ? tokens : [];
}

function countShared(left: readonly number[], right: readonly number[]): number {
  let count = 0;
  while (count < Math.min(left.length, right.length) && left[count] === right[count]) count++;
  return count;
}
