/** Finds which of a list of words occur in a text, in one pass (A. Aho, M. Corasick 1975). */
export interface Automaton {
  /** Indexes of the words that occur anywhere in the text, ascending. */
  present(text: string): number[];
}

interface Node {
  readonly next: Map<number, Node>;
  /** Where the longest proper ending of this node's text goes on. */
  fail: Node | undefined;
  /** Index of the word that ends here, -1 for none. */
  word: number;
  /** The next shorter word that ends here too. */
  shorter: Node | undefined;
  /** Number of the text in which the word was seen last. */
  seen: number;
}

function createNode(): Node {
  return { next: new Map(), fail: undefined, word: -1, shorter: undefined, seen: 0 };
}

export function createAutomaton(words: readonly string[]): Automaton {
  const root = createNode();
  const starts = new Uint8Array(65_536);
  for (const [index, word] of words.entries()) {
    let node = root;
    for (let at = 0; at < word.length; at++) {
      const unit = word.charCodeAt(at);
      let next = node.next.get(unit);
      if (!next) node.next.set(unit, (next = createNode()));
      node = next;
    }
    if (node.word < 0) node.word = index;
    starts[word.charCodeAt(0)] = 1;
  }
  link(root);
  let texts = 0;
  return {
    present(text) {
      const found: number[] = [];
      texts++;
      let node = root;
      for (let at = 0; at < text.length; at++) {
        const unit = text.charCodeAt(at);
        if (node === root && starts[unit] === 0) continue;
        let next = node.next.get(unit);
        while (!next && node.fail) {
          node = node.fail;
          next = node.next.get(unit);
        }
        node = next ?? root;
        // What ends in a word that was seen was seen with it.
        for (let end: Node | undefined = node; end && end.seen !== texts; end = end.shorter) {
          end.seen = texts;
          if (end.word >= 0) found.push(end.word);
        }
      }
      return found.sort((a, b) => a - b);
    },
  };
}

/** Sets `fail` and `shorter`, the nodes nearest to the root first. */
function link(root: Node): void {
  const queue = [...root.next.values()];
  for (const node of queue) node.fail = root;
  for (const node of queue) {
    for (const [unit, child] of node.next) {
      let fail = node.fail;
      while (fail && !fail.next.has(unit)) fail = fail.fail;
      child.fail = fail?.next.get(unit) ?? root;
      child.shorter = child.fail.word >= 0 ? child.fail : child.fail.shorter;
      queue.push(child);
    }
  }
}
