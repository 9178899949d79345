import { tooAmbiguous } from "./ambiguous.ts";
import type { StackNode } from "./automaton.ts";
import type { Program } from "./program.ts";
import { endOfAlternative } from "./program.ts";
import { createRankQueue } from "./queue.ts";

/** A place in a rule that is being matched. */
export interface Item {
  readonly position: number;
  readonly node: StackNode;
}

/** Finds what may come next, once for each byte. */
export interface Closure {
  begin(): void;
  /** Goes on from behind a symbol that was matched. */
  enter(position: number, node: StackNode): void;
  enterRoot(): void;
  isEmpty(): boolean;
  /** Terminals that may come next, in order; whether the text may end; numbers stored for new nodes. */
  result(): { readonly items: readonly Item[]; readonly accepting: boolean; readonly stored: number };
  grant(work: number): void;
  forget(): void;
}

/** Places that one byte of a text may lead to; and to one rule. Long lists of constants have some ten thousand. */
const mostPerByte = 400_000;
const mostWays = 65_536;

/**
 * Two phases. First all rules that may be complete are left and all rules that come next are noted, each with every
 * place it was called from. Then these rules are entered in the order of `rank`: when a rule's turn comes, all that
 * call it at this place of the text have had theirs, so one node stands for all the calls.
 */
export function createClosure(program: Program): Closure {
  const { symbols, starts, nullable, rank, end } = program;
  const bottom: StackNode = { id: 0, positions: [], nodes: [] };
  const nodes = new Map<string, StackNode>();
  const calls = new Map<number, Item[]>();
  const queue = createRankQueue(rank);
  const span = symbols.length + 1;
  let nextId = 1;
  let allowed = Infinity;
  let allowedNow = mostPerByte;
  let [accepting, stored] = [false, 0];
  let terminals: Item[] = [];
  let seen = new Set<number>();

  const spend = (work: number): void => {
    allowed -= work;
    allowedNow -= work;
    if (allowed < 0 || allowedNow < 0) throw tooAmbiguous();
  };
  const call = (rule: number, item: Item): void => {
    const callers = calls.get(rule);
    if (callers) callers.push(item);
    else {
      calls.set(rule, [item]);
      queue.push(rule);
    }
  };
  /** Follows a rule's symbols up to the first that takes a byte; `complete` is called where it may end before. */
  const follow = (position: number, node: StackNode, complete: (() => void) | undefined): void => {
    for (let at = position; ; at++) {
      const key = node.id * span + at;
      if (seen.has(key)) return;
      seen.add(key);
      spend(1);
      const symbol = symbols[at] ?? endOfAlternative;
      if (symbol === endOfAlternative) return complete?.();
      if (symbol < endOfAlternative) {
        terminals.push({ position: at, node });
        return;
      }
      if (symbols[at + 1] === endOfAlternative && node !== bottom) {
        // Nothing is left to do in this rule: the called one goes on where this one would.
        spend(node.positions.length);
        for (let index = 0; index < node.positions.length; index++) {
          const caller = node.nodes[index];
          if (caller) call(symbol, { position: node.positions[index] ?? 0, node: caller });
        }
      } else call(symbol, { position: at + 1, node });
      if (nullable[symbol] !== 1) return;
    }
  };
  const leave = (first: StackNode): void => {
    const open = [first];
    for (let node = open.pop(); node; node = open.pop()) {
      if (node === bottom) accepting = true;
      spend(node.positions.length);
      for (let index = 0; index < node.positions.length; index++) {
        const caller = node.nodes[index];
        if (caller) follow(node.positions[index] ?? 0, caller, () => open.push(caller));
      }
    }
  };
  const internNode = (callers: Item[]): StackNode => {
    const places = sortItems(callers);
    if (places.length > mostWays) throw tooAmbiguous();
    spend(places.length);
    const key = places.map(({ position, node }) => `${position}:${node.id}`).join(" ");
    const known = nodes.get(key);
    if (known) return known;
    const node = {
      id: nextId++,
      positions: places.map(({ position }) => position),
      nodes: places.map(({ node }) => node),
    };
    nodes.set(key, node);
    stored += 2 * places.length + key.length;
    return node;
  };
  const enterCalled = (): void => {
    for (let rule = queue.pop(); rule !== undefined; rule = queue.pop()) {
      const node = internNode(calls.get(rule) ?? []);
      calls.delete(rule);
      // Where it comes to nothing, its callers have gone on already.
      for (const start of starts[rule] ?? []) follow(start, node, undefined);
    }
  };
  return {
    begin() {
      terminals = [];
      seen = new Set();
      calls.clear();
      queue.clear();
      [accepting, stored] = [false, 0];
      allowedNow = mostPerByte;
    },
    enter(position, node) {
      follow(position, node, () => {
        leave(node);
      });
    },
    enterRoot() {
      call(0, { position: end, node: bottom });
      accepting = nullable[0] === 1;
    },
    isEmpty: () => terminals.length === 0 && calls.size === 0 && !accepting,
    result() {
      enterCalled();
      const items = sortItems(terminals);
      if (items.length > mostWays) throw tooAmbiguous();
      return { items, accepting, stored };
    },
    grant(work) {
      allowed = work;
    },
    forget() {
      nodes.clear();
    },
  };
}

/** In one order, whatever way they were found; each once. */
function sortItems(items: Item[]): readonly Item[] {
  items.sort((a, b) => a.position - b.position || a.node.id - b.node.id);
  return items.filter(({ position, node }, index) => {
    const before = items[index - 1];
    return before?.position !== position || before.node !== node;
  });
}
