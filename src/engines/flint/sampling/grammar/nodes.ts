import { tooAmbiguous } from "./ambiguous.ts";

/**
 * A rule that is being matched, and the places where it goes on once the rule is complete: one node of a stack that
 * forks and joins, so that any number of ways to read a text share what they have in common. Nodes with equal places
 * are one object.
 */
export interface StackNode {
  readonly id: number;
  readonly positions: readonly number[];
  readonly nodes: readonly StackNode[];
}

/** A place in a rule that is being matched. */
export interface Item {
  readonly position: number;
  readonly node: StackNode;
}

export interface NodeTable {
  /** The node with no place to go on: behind it the text ends. */
  readonly bottom: StackNode;
  /** The node whose rule was called from these places. Throws `grammar_invalid` for too many. */
  intern(callers: Item[]): StackNode;
  /** Numbers that new nodes took since the last call. */
  takeAdded(): number;
  forget(): void;
}

/** Places that a rule may be called from at once, and terminals that may come next; long lists have ten thousand. */
const mostPlaces = 65_536;

export function createNodeTable(): NodeTable {
  const nodes = new Map<string, StackNode>();
  let nextId = 1;
  let added = 0;
  return {
    bottom: { id: 0, positions: [], nodes: [] },
    intern(callers) {
      const places = sortItems(callers);
      const key = keyOf(places);
      const known = nodes.get(key);
      if (known) return known;
      const node = {
        id: nextId++,
        positions: places.map(({ position }) => position),
        nodes: places.map((place) => place.node),
      };
      nodes.set(key, node);
      added += 2 * places.length + key.length;
      return node;
    },
    takeAdded() {
      const taken = added;
      added = 0;
      return taken;
    },
    forget() {
      nodes.clear();
    },
  };
}

/** In one order, whatever way they were found; each once. */
export function sortItems(items: Item[]): readonly Item[] {
  if (items.length < 2) return items;
  items.sort((a, b) => a.position - b.position || a.node.id - b.node.id);
  const sorted = items.filter(({ position, node }, index) => {
    const before = items[index - 1];
    return before?.position !== position || before.node !== node;
  });
  if (sorted.length > mostPlaces) throw tooAmbiguous();
  return sorted;
}

/** The same for equal lists of items only. */
export function keyOf(items: readonly Item[]): string {
  return items.map(({ position, node }) => `${position}:${node.id}`).join(" ");
}
