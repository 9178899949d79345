import { unsupported } from "./fail.ts";

/** Texts by their bytes, to be walked from node 0. One hash table with open addressing holds the edges. */
export class Trie {
  private count = 1;
  /** Node × 256 + byte. */
  private keys = new Uint32Array(4096);
  /** 0: an empty slot, for no edge leads to the root. */
  private targets = new Int32Array(4096);
  private values = new Int32Array(2048).fill(-1);

  /** Adds the text that ends at a node below `node`; the value replaces an older one. */
  insert(bytes: Uint8Array, value: number, node = 0): void {
    let at = node;
    for (const byte of bytes) at = this.step(at, byte) || this.addEdge(at, byte);
    this.values[at] = value;
  }

  /** The node that a byte leads to; 0 for none. */
  step(node: number, byte: number): number {
    return this.targets[this.slotOf((node * 256 + byte) >>> 0)] ?? 0;
  }

  /** The node that a text leads to; 0 for none. */
  walk(bytes: Uint8Array): number {
    let node = 0;
    for (const byte of bytes) {
      node = this.step(node, byte);
      if (node === 0) break;
    }
    return node;
  }

  /** The value of the text that ends at a node; -1 for none. */
  valueAt(node: number): number {
    return this.values[node] ?? -1;
  }

  private slotOf(key: number): number {
    const mask = this.keys.length - 1;
    const hash = Math.imul(key, 0x9e3779b1);
    let slot = (hash ^ (hash >>> 15)) & mask;
    while (this.targets[slot] !== 0 && this.keys[slot] !== key) slot = (slot + 1) & mask;
    return slot;
  }

  private addEdge(node: number, byte: number): number {
    if (this.count >= 2 ** 24) throw unsupported("tokens", "are too long together");
    if (this.count * 2 >= this.keys.length) this.grow();
    const target = this.count++;
    const slot = this.slotOf((node * 256 + byte) >>> 0);
    this.keys[slot] = node * 256 + byte;
    this.targets[slot] = target;
    return target;
  }

  private grow(): void {
    const { keys, targets, values } = this;
    this.keys = new Uint32Array(keys.length * 2);
    this.targets = new Int32Array(keys.length * 2);
    for (const [index, target] of targets.entries()) {
      if (target === 0) continue;
      const slot = this.slotOf(keys[index] ?? 0);
      this.keys[slot] = keys[index] ?? 0;
      this.targets[slot] = target;
    }
    this.values = new Int32Array(values.length * 2).fill(-1);
    this.values.set(values);
  }
}
