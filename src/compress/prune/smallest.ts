/** The smallest of some scores. */

/** Marks the `count` smallest scores with 1, the others with 0. Of equal ones the first go. */
export function markSmallest(scores: Float32Array, count: number, marks: Uint8Array, scratch: Float32Array): void {
  marks.fill(0, 0, scores.length);
  if (count <= 0) return;
  const limit = valueAt(scores, count - 1, scratch);
  let left = count;
  for (let i = 0; i < scores.length; i++) {
    if (scores[i]! >= limit) continue;
    marks[i] = 1;
    left--;
  }
  for (let i = 0; left > 0 && i < scores.length; i++) {
    if (scores[i] !== limit) continue;
    marks[i] = 1;
    left--;
  }
}

/** What stands at a place in ascending order (Hoare's selection). No score is NaN. */
function valueAt(scores: Float32Array, place: number, scratch: Float32Array): number {
  scratch.set(scores);
  let [low, high] = [0, scores.length - 1];
  while (low < high) {
    const pivot = scratch[(low + high) >> 1]!;
    let [left, right] = [low, high];
    while (left <= right) {
      while (scratch[left]! < pivot) left++;
      while (scratch[right]! > pivot) right--;
      if (left > right) break;
      const value = scratch[left]!;
      scratch[left++] = scratch[right]!;
      scratch[right--] = value;
    }
    if (place <= right) high = right;
    else if (place >= left) low = left;
    else break;
  }
  return scratch[place]!;
}

/** Indices of the `count` smallest of a few scores, ascending. */
export function indicesOfSmallest(scores: ArrayLike<number>, count: number): number[] {
  const order = Array.from(scores, (_, index) => index);
  order.sort((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0) || a - b);
  return order.slice(0, count).sort((a, b) => a - b);
}
