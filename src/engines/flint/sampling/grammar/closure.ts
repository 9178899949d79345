import { tooAmbiguous } from "./ambiguous.ts";
import type { Item, StackNode } from "./nodes.ts";
import { createNodeTable, sortItems } from "./nodes.ts";
import type { Program } from "./program.ts";
import { endOfAlternative } from "./program.ts";
import { createRankQueue } from "./queue.ts";

/** What looking at places may still cost. */
export interface Budget {
  left: number;
}

/** Finds what may come next, once for each byte. */
export interface Closure {
  begin(): void;
  /** Goes on from behind a symbol that was matched. */
  enter(position: number, node: StackNode): void;
  enterRoot(): void;
  isEmpty(): boolean;
  /** Terminals that may come next, in order; whether the text may end; numbers stored for new nodes. */
  result(): { readonly items: readonly Item[]; readonly accepting: boolean; readonly added: number };
  forget(): void;
}

/** Places that one byte of a text may lead to. */
const mostPerByte = 400_000;

/**
 * Two phases. First all rules that may be complete are left and all rules that come next are noted, each with every
 * place it was called from. Then these rules are entered in the order of `rank`: when a rule's turn comes, all that
 * call it at this place of the text have had theirs, so one node stands for all the calls.
 */
export function createClosure(program: Program, budget: Budget): Closure {
  const { symbols, starts, nullable, rank, end } = program;
  const table = createNodeTable();
  const { bottom } = table;
  const calls = new Map<number, Item[]>();
  const queue = createRankQueue(rank);
  const span = symbols.length + 1;
  let perByte = mostPerByte;
  let accepting = false;
  let terminals: Item[] = [];
  let seen = new Set<number>();

  const spend = (work: number): void => {
    budget.left -= work;
    perByte -= work;
    if (budget.left < 0 || perByte < 0) throw tooAmbiguous();
  };
  const call = (rule: number, item: Item): void => {
    const callers = calls.get(rule);
    if (callers) callers.push(item);
    else {
      calls.set(rule, [item]);
      queue.push(rule);
    }
  };
  /** Calls work for each place where a node's rule was called from. */
  const forCallers = ({ positions, nodes }: StackNode, work: (position: number, caller: StackNode) => void): void => {
    spend(positions.length);
    for (let index = 0; index < positions.length; index++) work(positions[index] ?? 0, nodes[index] ?? bottom);
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
      // Where nothing is left to do in this rule, the called one goes on where this one would.
      if (symbols[at + 1] !== endOfAlternative) call(symbol, { position: at + 1, node });
      else forCallers(node, (place, caller) => call(symbol, { position: place, node: caller }));
      if (nullable[symbol] !== 1) return;
    }
  };
  const leave = (first: StackNode): void => {
    const open = [first];
    for (let node = open.pop(); node; node = open.pop()) {
      if (node === bottom) accepting = true;
      forCallers(node, (position, caller) => follow(position, caller, () => open.push(caller)));
    }
  };
  return {
    begin() {
      terminals = [];
      seen = new Set();
      calls.clear();
      queue.clear();
      accepting = false;
      perByte = mostPerByte;
    },
    enter(position, node) {
      follow(position, node, () => leave(node));
    },
    enterRoot() {
      call(0, { position: end, node: bottom });
      accepting = nullable[0] === 1;
    },
    isEmpty: () => terminals.length === 0 && calls.size === 0 && !accepting,
    result() {
      for (let rule = queue.pop(); rule !== undefined; rule = queue.pop()) {
        const callers = calls.get(rule) ?? [];
        spend(callers.length);
        const node = table.intern(callers);
        // Where a rule comes to nothing, its callers have gone on already.
        for (const start of starts[rule] ?? []) follow(start, node, undefined);
      }
      return { items: sortItems(terminals), accepting, added: table.takeAdded() };
    },
    forget() {
      table.forget();
    },
  };
}
