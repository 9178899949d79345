/** Rules that wait for their turn, the lowest rank first. */
export interface RankQueue {
  push(rule: number): void;
  pop(): number | undefined;
  clear(): void;
}

/** A binary heap over a fixed table of ranks. */
export function createRankQueue(rank: Int32Array): RankQueue {
  const heap: number[] = [];
  const rankAt = (index: number): number => rank[heap[index] ?? 0] ?? 0;
  const swap = (left: number, right: number): void => {
    const rule = heap[left] ?? 0;
    heap[left] = heap[right] ?? 0;
    heap[right] = rule;
  };
  return {
    push(rule) {
      let at = heap.push(rule) - 1;
      for (let parent = (at - 1) >> 1; at > 0 && rankAt(at) < rankAt(parent); parent = (at - 1) >> 1) {
        swap(at, parent);
        at = parent;
      }
    },
    pop() {
      const first = heap[0];
      const last = heap.pop();
      if (first === undefined || last === undefined || heap.length === 0) return first;
      heap[0] = last;
      for (let at = 0, child = 1; child < heap.length; child = 2 * at + 1) {
        if (child + 1 < heap.length && rankAt(child + 1) < rankAt(child)) child++;
        if (rankAt(at) <= rankAt(child)) break;
        swap(at, child);
        at = child;
      }
      return first;
    },
    clear() {
      heap.length = 0;
    },
  };
}
