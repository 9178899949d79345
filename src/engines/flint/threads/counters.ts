/** Figures that the leader writes and the thread that takes requests reads, in shared memory. */
import type { EngineStats } from "../../../spec/engine.ts";

const names = [
  "running",
  "waiting",
  "steps",
  "stepTokens",
  "promptTokens",
  "cachedTokens",
  "restoredTokens",
  "generatedTokens",
  "draftedTokens",
  "acceptedTokens",
  "preemptions",
  "blocks",
  "usedBlocks",
  "cachedBlocks",
  "diskBytes",
  "cacheBytes",
] as const;

export type CounterName = (typeof names)[number];

export class Counters {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: Float64Array;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#cells = new Float64Array(buffer);
  }

  static get bytes(): number {
    return names.length * 8;
  }

  get(name: CounterName): number {
    return this.#cells[names.indexOf(name)] ?? 0;
  }

  set(name: CounterName, value: number): void {
    this.#cells[names.indexOf(name)] = value;
  }

  add(name: CounterName, value: number): void {
    this.set(name, this.get(name) + value);
  }

  stats(): EngineStats {
    const all = Object.fromEntries(names.map((name) => [name, this.get(name)])) as Record<CounterName, number>;
    const { blocks, usedBlocks, cachedBlocks, cacheBytes: _, ...rest } = all;
    return { ...rest, blocks: { total: blocks, used: usedBlocks, cached: cachedBlocks } };
  }
}
