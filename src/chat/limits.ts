import { HearthError } from "../error.ts";

/** What a chat template may use up. Templates come with downloaded models and are not trusted. */
export interface RenderLimits {
  /** UTF-16 code units of the template itself. */
  readonly templateChars: number;
  /** Nodes of the template that are evaluated. */
  readonly steps: number;
  /** Nodes that are evaluated inside each other; also bounds the recursion of macros. */
  readonly depth: number;
  readonly timeoutMs: number;
  /** Longest text, the output included, in UTF-16 code units. */
  readonly textChars: number;
  /** Sum of the lengths of all texts made on the way. */
  readonly totalChars: number;
  /** Longest list; the interpreter makes a scope for each item of a loop before it begins. */
  readonly items: number;
  /** Values inside a list or object that is turned into text. */
  readonly nodes: number;
  /** Text length × length of what is searched in it: bounds a single search. */
  readonly searchSteps: number;
}

export const renderLimits: RenderLimits = {
  templateChars: 256 * 1024,
  steps: 4_000_000,
  depth: 600,
  timeoutMs: 1000,
  textChars: 16 * 1024 ** 2,
  totalChars: 256 * 1024 ** 2,
  items: 100_000,
  nodes: 1_000_000,
  searchSteps: 2 ** 29,
};

/** What one rendering has used so far. */
export interface Meter {
  readonly limits: RenderLimits;
  step(): void;
  /** A loop over this many items is about to begin. */
  loop(count: number): void;
  /** A text of this length was made, or is about to be. */
  chars(length: number): void;
  items(count: number): void;
  /** A search of a text for another is about to run. */
  search(textLength: number, wantedLength: number): void;
}

export function createMeter(limits: RenderLimits): Meter {
  const deadline = performance.now() + limits.timeoutMs;
  let steps = 0;
  let total = 0;
  const checkTime = (): void => {
    if (performance.now() > deadline) throw stopped(`it ran for more than ${limits.timeoutMs} ms`);
  };
  const spend = (count: number): void => {
    steps += count;
    if (steps > limits.steps) throw stopped(`it took more than ${limits.steps} steps`);
  };
  return {
    limits,
    step() {
      spend(1);
      // The clock is read now and then, and after whatever takes long by itself.
      if (steps % 32 === 0) checkTime();
    },
    loop(count) {
      spend(count);
      checkTime();
    },
    chars(length) {
      total += length;
      if (length > 65_536) checkTime();
      if (length > limits.textChars) throw stopped(`it made a text of more than ${limits.textChars} characters`);
      if (total > limits.totalChars) throw stopped(`it made more than ${limits.totalChars} characters of text`);
    },
    items(count) {
      if (count > limits.items) throw stopped(`it made a list of more than ${limits.items} items`);
    },
    search(textLength, wantedLength) {
      if (textLength * wantedLength > limits.searchSteps) throw stopped("it searched a long text for a long text");
    },
  };
}

/** The error of a template that went beyond its limits. */
export class TemplateStopped extends HearthError {}

export function stopped(reason: string): TemplateStopped {
  return new TemplateStopped("template_failed", `The chat template was stopped: ${reason}.`, {
    hint: "The template of this model is damaged or hostile; give another one, or use another model.",
  });
}
