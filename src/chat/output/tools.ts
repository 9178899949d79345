import type { CallCounter } from "./calls.ts";
import type { OutputEvent, OutputStage } from "./event.ts";
import { firstMarker, openLength } from "./hold.ts";
import { Matcher } from "./pattern.ts";
import type { CallPattern, Capture, KnownTools } from "./pattern.ts";

export interface ToolStageOptions {
  readonly patterns: readonly CallPattern[];
  readonly tools: KnownTools;
  readonly counter: CallCounter;
}

const longCall = 16 * 1024;
/** White space before the first text that is held back at most. */
const longestSpace = 4096;

/**
 * Finds tool calls in the answer. A call is announced when it is complete and names a tool that was offered: what turns
 * out to be no call comes back as text. White space around calls is dropped. Takes time linear in the text.
 */
export class ToolStage implements OutputStage {
  readonly #options: ToolStageOptions;
  readonly #markers: readonly string[];
  readonly #longestMarker: number;
  /** Text that is not decided yet; inside a block, all of the block. */
  #held = "";
  #unread = 0;
  #block: readonly Matcher[] | undefined;
  /** White space before the first text, and whether there was any text since the beginning or the last call. */
  #lead = "";
  #shown = false;

  constructor(options: ToolStageOptions) {
    this.#options = options;
    const { patterns } = options;
    this.#markers = [...new Set(patterns.flatMap(({ marker }) => (marker === undefined ? [] : [marker])))];
    this.#longestMarker = Math.max(1, ...this.#markers.map((marker) => marker.length));
  }

  push(text: string): OutputEvent[] {
    this.#held += text;
    this.#unread += text.length;
    // Looking at a text that was just joined copies it: a long call is looked at in growing steps, not at every token.
    if (this.#block && this.#held.length > longCall && this.#unread < this.#held.length / 32) return [];
    this.#unread = 0;
    return this.#run(false);
  }

  end(): OutputEvent[] {
    return this.#run(true);
  }

  #run(final: boolean): OutputEvent[] {
    const events: OutputEvent[] = [];
    for (;;) {
      const more = this.#block ? this.#walk(this.#block, final) : this.#search(final);
      if (!more) break;
      events.push(...more);
    }
    if (final && this.#lead !== "" && this.#options.counter.count === 0) {
      events.push({ type: "text-delta", text: this.#lead });
    }
    return joinText(events);
  }

  /** Gives out the first `length` characters as text. */
  #emit(length: number): OutputEvent[] {
    const text = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    if (text === "") return [];
    if (this.#shown) return [{ type: "text-delta", text }];
    const all = this.#options.counter.count > 0 ? text.trimStart() : this.#lead + text;
    if (all.trim() === "" && all.length <= longestSpace) {
      this.#lead = all;
      return [];
    }
    this.#lead = "";
    this.#shown = true;
    return [{ type: "text-delta", text: all }];
  }

  /** Walks the block; undefined: it needs more text. */
  #walk(matchers: readonly Matcher[], final: boolean): OutputEvent[] | undefined {
    let failedAt = 1;
    let alive = false;
    for (const matcher of matchers) {
      // A matcher that has failed fails at the same place again.
      const match = matcher.feed(this.#held, final);
      if (match.state === "done") return this.#finish(matcher.pattern, match);
      if (match.state === "fail") failedAt = Math.max(failedAt, match.at);
      else alive = true;
    }
    if (alive) return undefined;
    this.#block = undefined;
    // The end of what is given back may be the beginning of a real call; it is looked at again.
    return this.#emit(Math.max(1, failedAt - this.#longestMarker + 1));
  }

  #finish(pattern: CallPattern, { at, capture }: { readonly at: number; readonly capture: Capture }): OutputEvent[] {
    const { tools, counter } = this.#options;
    this.#block = undefined;
    const calls = pattern.toCalls(capture, tools);
    if (!calls?.every(({ name }) => tools.has(name))) return this.#emit(at);
    this.#held = this.#held.slice(at);
    this.#lead = "";
    this.#shown = false;
    return counter.events(calls);
  }

  /** Looks for the beginning of a call; undefined: there is none yet. */
  #search(final: boolean): OutputEvent[] | undefined {
    if (this.#held === "") return undefined;
    const { patterns } = this.#options;
    if (!this.#shown) {
      const events = this.#emit(this.#held.length - this.#held.trimStart().length);
      if (!this.#shown && mayBeBare(this.#held)) {
        this.#block = patterns.map((pattern) => new Matcher(pattern));
        return events;
      }
      if (events.length > 0 || this.#held === "") return events;
    }
    const found = firstMarker(this.#held, this.#markers);
    if (found) {
      const events = this.#emit(found.at);
      this.#block = patterns.filter(({ marker }) => marker === found.marker).map((pattern) => new Matcher(pattern));
      return events;
    }
    const keep = final ? 0 : openLength(this.#held, this.#markers);
    return keep === this.#held.length ? undefined : this.#emit(this.#held.length - keep);
  }
}

function mayBeBare(text: string): boolean {
  if (text === "") return false;
  return text.startsWith("{") || text.startsWith("[") || text.startsWith("```") || "```".startsWith(text);
}

function joinText(events: readonly OutputEvent[]): OutputEvent[] {
  const joined: OutputEvent[] = [];
  for (const event of events) {
    const last = joined.at(-1);
    if (event.type === "text-delta" && last?.type === "text-delta") {
      joined[joined.length - 1] = { type: "text-delta", text: last.text + event.text };
    } else joined.push(event);
  }
  return joined;
}
