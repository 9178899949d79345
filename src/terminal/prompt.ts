/** A line editor with history, multi-line text in `"""`, and pasting. It owns the terminal between `create` and `close`. */
import { createInterface, type Interface, type Key } from "node:readline";
import { Writable } from "node:stream";
import { createDeferred, type Deferred } from "../util/deferred.ts";
import type { History } from "./history.ts";
import type { Io, Output } from "./io.ts";

export interface Prompt {
  /** The next text, or undefined when the person left (Ctrl-D) or `signal` aborted. */
  read(): Promise<string | undefined>;
  close(): void;
}

export interface PromptOptions {
  readonly io: Io;
  readonly history: History;
  readonly signal: AbortSignal;
  /** Ctrl-C while nothing is being read. */
  readonly onInterrupt: () => void;
}

const first = ">>> ";
const next = "... ";
const quote = '"""';

interface State {
  readonly lines: string[];
  waiting: Deferred<string | undefined> | undefined;
  closed: boolean;
  pasting: boolean;
  pasted: string;
}

export function createPrompt({ io, history, signal, onInterrupt }: PromptOptions): Prompt {
  const state: State = { lines: [], waiting: undefined, closed: false, pasting: false, pasted: "" };
  const echo = gate(io.stdout, () => state.waiting !== undefined);
  const editor = createInterface({
    input: io.stdin,
    output: echo,
    terminal: true,
    history: history.lines.toReversed(),
    historySize: 500,
    removeHistoryDuplicates: true,
  });
  const close = (): void => {
    if (!state.closed) io.stdout.write(bracketedPaste(false));
    state.closed = true;
    editor.close();
    settle(state, undefined);
  };
  watch(editor, state, { io, onInterrupt, close });
  signal.addEventListener("abort", close, { once: true });
  io.stdout.write(bracketedPaste(true));
  const line = async (label: string): Promise<string | undefined> => await readLine(editor, state, { io, label });
  return {
    async read() {
      const text = await readText(line);
      if (text !== undefined) history.add(text);
      return text;
    },
    close() {
      signal.removeEventListener("abort", close);
      close();
    },
  };
}

/** The terminal marks what is pasted, so that its line ends do not send it. */
function bracketedPaste(on: boolean): string {
  return `\u001b[?2004${on ? "h" : "l"}`;
}

interface Watch {
  readonly io: Io;
  readonly onInterrupt: () => void;
  readonly close: () => void;
}

function watch(editor: Interface, state: State, { io, onInterrupt, close }: Watch): void {
  io.stdin.on("keypress", (_text: string | undefined, key: Key) => {
    if (key.name === "paste-start") state.pasting = true;
    if (key.name === "paste-end") state.pasting = false;
  });
  editor.on("line", (line) => {
    if (state.pasting) {
      state.pasted += `${line}\n`;
      return;
    }
    const whole = state.pasted + line;
    state.pasted = "";
    // Several lines may arrive at once: only the first belongs to who waits now.
    if (state.waiting) settle(state, whole);
    else state.lines.push(whole);
  });
  editor.on("SIGINT", () => {
    if (!state.waiting) {
      onInterrupt();
    } else if (editor.line === "" && state.pasted === "") {
      io.stdout.write("\nCtrl-D or /bye leaves.\n");
      editor.prompt();
    } else {
      state.pasted = "";
      // Drops what was typed, as a shell does.
      editor.write(null, { ctrl: true, name: "e" });
      editor.write(null, { ctrl: true, name: "u" });
      io.stdout.write("\n");
      editor.prompt();
    }
  });
  editor.on("close", close);
}

async function readLine(
  editor: Interface,
  state: State,
  { io, label }: { readonly io: Io; readonly label: string },
): Promise<string | undefined> {
  const typed = state.lines.shift();
  if (typed !== undefined) {
    // Typed while an answer was being written; it was not echoed then.
    io.stdout.write(`${label}${typed}\n`);
    return typed;
  }
  if (state.closed) return undefined;
  state.waiting = createDeferred();
  editor.setPrompt(label);
  editor.prompt(true);
  return await state.waiting.promise;
}

function settle(state: State, line: string | undefined): void {
  state.waiting?.resolve(line);
  state.waiting = undefined;
}

/** One line, or all lines from one that opens `"""` to the one that closes it. */
async function readText(line: (label: string) => Promise<string | undefined>): Promise<string | undefined> {
  let text = await line(first);
  while (text !== undefined && isOpen(text)) {
    const more = await line(next);
    if (more === undefined) return undefined;
    text += `\n${more}`;
  }
  return text;
}

function isOpen(text: string): boolean {
  return text.split(quote).length % 2 === 0;
}

/** Takes the quotes of a multi-line text away, and the line ends next to them. */
export function unquote(text: string): string {
  const trimmed = text.trim();
  if (!trimmed.startsWith(quote) || !trimmed.endsWith(quote) || trimmed.length < 6) return text;
  return trimmed.slice(3, -3).replace(/^\n/, "").replace(/\n$/, "");
}

/** Passes on what the editor writes only while it is its turn: an answer in progress is not to be disturbed. */
function gate(target: Output, open: () => boolean): Writable {
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string | Uint8Array, _encoding, done) {
      if (open()) target.write(chunk);
      done();
    },
  });
  return Object.defineProperties(stream, {
    isTTY: { value: true },
    columns: { get: () => target.columns || 80 },
  });
}
