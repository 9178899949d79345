import { unsupportedPattern } from "./parse.ts";
import type { Program } from "./program.ts";
import { opLook, opLookOrEnd, opMatch, opSplit, opTake } from "./program.ts";

/** Steps per character of a text after which a pattern counts as hostile; those of real models take less than 80. */
const mostSteps = 256;
const mostStates = 2048;
const mostClasses = 1024;
const atEnd = 0;

/**
 * Finds the matches of a program with a deterministic automaton that is made while it runs: one step per character.
 * Two characters that belong to the same sets are one class, and take the same steps. The order of the alternatives
 * is kept as in R. Cox, "Regular Expression Matching: the Virtual Machine Approach" (2009), and a look at the next
 * character costs nothing, because a step is taken when that is known.
 */
export class Matcher {
  private readonly program: Program;
  /** Class of a code point, by pages of 256. */
  private readonly pages: (Uint16Array | undefined)[] = [];
  private readonly classBySets = new Map<number, number>();
  /** The sets that hold a class, one bit each; class 0 is the end of the text. */
  private readonly setsOfClass: number[] = [0];
  /** A state is the list of program states that are to be tried in order. State 0 is the end, 1 the start. */
  private states: Int32Array[] = [];
  private stateByList = new Map<string, number>();
  /** By state and class: 0 for not known yet, else the next state × 2 + 1 if the text matches up to here, + 2. */
  private steps = new Int32Array(0);
  private stride = 64;
  private readonly seen: Uint32Array;
  private readonly kept: Uint32Array;
  private stamp = 0;
  private readonly found: number[] = [];
  /** Characters that the last `matchAt` looked at. */
  private taken = 0;
  /** By block of 32 units: the state of the last scan that passed its start, and what it found from there on. */
  private scans = new Int32Array(0);
  private scanEnds = new Int32Array(0);
  /** Blocks and states of the scan that is running. */
  private readonly passed: number[] = [];

  constructor(program: Program) {
    this.program = program;
    this.seen = new Uint32Array(program.operations.length);
    this.kept = new Uint32Array(program.operations.length);
    this.reset();
  }

  /**
   * Appends where each match in `text` from `from` to `to` begins and ends (UTF-16 units). No surrogate may be alone.
   * Matches of nothing are left out.
   */
  find(text: string, from: number, to: number, matches: number[]): void {
    let budget = (to - from) * mostSteps + 4096;
    this.forgetScans(from, to);
    for (let at = from; at < to;) {
      const end = this.matchAt(text, at, to);
      budget -= this.taken;
      if (budget < 0) throw unsupportedPattern(this.program.source, "takes too long on this text");
      if (end > at) {
        matches.push(at, end);
        at = end;
      } else at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
    }
  }

  /** Appends the ends of the pieces of `text`: each match is a piece, and so is what lies between two of them. */
  split(text: string, from: number, to: number, ends: number[]): void {
    const { found } = this;
    found.length = 0;
    this.find(text, from, to, found);
    let done = from;
    for (let index = 0; index < found.length; index += 2) {
      const start = found[index] ?? 0;
      if (start > done) ends.push(start);
      ends.push((done = found[index + 1] ?? 0));
    }
    if (done < to) ends.push(to);
  }

  /** Where the match that begins at `at` ends; -1 for none. */
  private matchAt(text: string, at: number, to: number): number {
    let state = 1;
    let end = -1;
    let next = at;
    for (;;) {
      const position = next;
      if ((position & 31) === 0 && position - at >= 32) {
        if (this.scans[position >> 5] === state) {
          const known = this.scanEnds[position >> 5] ?? -1;
          if (known >= 0) end = known;
          break;
        }
        this.passed.push(position >> 5, state);
      }
      let klass = atEnd;
      if (next < to) {
        let code = text.charCodeAt(next++);
        if (code >= 0xd800 && code < 0xdc00) code = text.codePointAt(next++ - 1) ?? code;
        const page = this.pages[code >> 8] ?? this.makePage(code >> 8);
        klass = page[code & 255] ?? 0;
      }
      const step = this.steps[state * this.stride + klass] || this.makeStep(state, klass);
      if (step & 1) end = position;
      state = (step >> 1) - 1;
      if (state === 0) break;
    }
    this.taken = next - at;
    if (this.passed.length > 0) this.rememberScan(end);
    return end;
  }

  /**
   * What a long scan that began in front of a position found behind it: another scan that comes there in the same
   * state finds the same. Without this a pattern that looks far ahead in vain, again and again, would take the square
   * of the time.
   */
  private rememberScan(end: number): void {
    for (let index = 0; index < this.passed.length; index += 2) {
      const block = this.passed[index] ?? 0;
      this.scans[block] = this.passed[index + 1] ?? 0;
      this.scanEnds[block] = end >= block * 32 ? end : -1;
    }
    this.passed.length = 0;
  }

  private forgetScans(from: number, to: number): void {
    const blocks = (to >> 5) + 1;
    if (this.scans.length < blocks) {
      this.scans = new Int32Array(blocks * 2);
      this.scanEnds = new Int32Array(blocks * 2);
    } else this.scans.fill(0, from >> 5, blocks);
    this.passed.length = 0;
  }

  private makePage(index: number): Uint16Array {
    const page = new Uint16Array(256);
    for (let low = 0; low < 256; low++) page[low] = this.classOf(index * 256 + low);
    this.pages[index] = page;
    return page;
  }

  private classOf(code: number): number {
    let sets = 0;
    for (const [index, set] of this.program.sets.entries()) if (set.has(code)) sets |= 1 << index;
    const known = this.classBySets.get(sets);
    if (known !== undefined) return known;
    const klass = this.setsOfClass.push(sets) - 1;
    if (klass > mostClasses) throw unsupportedPattern(this.program.source, "has too many sets of characters");
    this.classBySets.set(sets, klass);
    if (klass >= this.stride) {
      this.stride *= 2;
      this.restride();
    }
    return klass;
  }

  /** Tries the alternatives of a state on the next class. */
  private makeStep(state: number, klass: number): number {
    if (this.states.length >= mostStates) {
      const list = this.states[state] ?? new Int32Array(0);
      this.reset();
      this.scans.fill(0);
      this.passed.length = 0;
      return this.walk(list, klass);
    }
    const step = this.walk(this.states[state] ?? new Int32Array(0), klass);
    this.steps[state * this.stride + klass] = step;
    return step;
  }

  private walk(list: Int32Array, klass: number): number {
    const { operations, first, second } = this.program;
    const sets = this.setsOfClass[klass] ?? 0;
    const stamp = ++this.stamp;
    const next: number[] = [];
    const stack = Array.from(list).reverse();
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (this.seen[at] === stamp) continue;
      this.seen[at] = stamp;
      const operation = operations[at];
      const [one, two] = [first[at] ?? 0, second[at] ?? 0];
      if (operation === opMatch) return this.encode(next, true);
      if (operation === opSplit) stack.push(two, one);
      else if (klass === atEnd) {
        if (operation === opLookOrEnd) stack.push(two);
      } else if ((sets >> one) & 1) {
        if (operation === opLook || operation === opLookOrEnd) stack.push(two);
        else if (operation === opTake && this.kept[two] !== stamp) {
          this.kept[two] = stamp;
          next.push(two);
        }
      }
    }
    return this.encode(next, false);
  }

  private encode(next: number[], matched: boolean): number {
    return (this.stateOf(Int32Array.from(next)) + 1) * 2 + (matched ? 1 : 0);
  }

  private stateOf(list: Int32Array): number {
    const key = list.join(",");
    const known = this.stateByList.get(key);
    if (known !== undefined) return known;
    const state = this.states.push(list) - 1;
    this.stateByList.set(key, state);
    if (this.states.length * this.stride > this.steps.length) this.restride(this.states.length * 2);
    return state;
  }

  private reset(): void {
    this.states = [];
    this.stateByList = new Map();
    this.steps = new Int32Array(0);
    this.stateOf(new Int32Array(0));
    this.stateOf(Int32Array.of(this.program.start));
  }

  /** Room for more states or classes. The steps are found again when they are needed. */
  private restride(states = this.states.length): void {
    this.steps = new Int32Array(states * this.stride);
  }
}
