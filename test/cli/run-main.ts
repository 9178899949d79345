/** Runs the command line in this process, with streams in memory. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { onTestFinished } from "vitest";
import { main } from "../../src/commands/main.ts";
import type { Services } from "../../src/commands/services.ts";
import type { Hearth } from "../../src/tasks/contract.ts";

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly hearth?: Hearth;
  readonly services?: Partial<Services>;
  /** Text or bytes on stdin; without it stdin is empty. */
  readonly stdin?: string | Uint8Array;
  readonly signal?: AbortSignal;
  readonly env?: Readonly<Record<string, string>>;
  /** Which streams are terminals; none when absent. */
  readonly terminal?: { readonly stdin?: boolean; readonly stdout?: boolean; readonly stderr?: boolean };
}

export interface Live {
  readonly done: Promise<Outcome>;
  readonly stdout: () => string;
  readonly stderr: () => string;
  type(text: string | Uint8Array): void;
  end(): void;
  /** Resolves once stdout, read from where the last `see` ended, has this text. */
  see(text: string): Promise<void>;
}

export async function hearth(words: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const live = start(words, options);
  live.type(options.stdin ?? "");
  live.end();
  return await live.done;
}

/** The same, but stdin stays open: for the chat at a terminal. */
export function start(words: readonly string[], options: RunOptions = {}): Live {
  const { terminal = {}, env = {} } = options;
  const stdin = Object.assign(new PassThrough(), { isTTY: terminal.stdin === true });
  const stdout = collect(terminal.stdout === true);
  const stderr = collect(terminal.stderr === true);
  const made = options.hearth;
  const services: Partial<Services> = {
    ...(made && { createHearth: async ({ settings }) => Object.assign(made, { settings }) }),
    ...options.services,
  };
  const code = main(
    words,
    { stdin, stdout: stdout.stream, stderr: stderr.stream },
    {
      services,
      env: { HEARTH_DATA: temporaryFolder(), ...env },
      ...(options.signal && { signal: options.signal }),
    },
  );
  let seen = 0;
  return {
    done: code.then((value) => ({ code: value, stdout: stdout.text(), stderr: stderr.text() })),
    stdout: stdout.text,
    stderr: stderr.text,
    type(text) {
      stdin.write(text);
    },
    end() {
      stdin.end();
    },
    async see(text) {
      for (;;) {
        const at = stdout.text().indexOf(text, seen);
        if (at !== -1) {
          seen = at + text.length;
          return;
        }
        await stdout.next();
      }
    },
  };
}

/** A folder that is gone when the test has ended. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "hearth-cli-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

interface Collected {
  readonly stream: Writable & { readonly isTTY: boolean; readonly columns: number };
  readonly text: () => string;
  readonly next: () => Promise<void>;
}

function collect(isTTY: boolean): Collected {
  let text = "";
  let waiting: (() => void)[] = [];
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string | Uint8Array, _encoding, done) {
      text += typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk);
      for (const wake of waiting) wake();
      waiting = [];
      done();
    },
  });
  return {
    stream: Object.assign(stream, { isTTY, columns: 100 }),
    text: () => text,
    next: () => new Promise((resolve) => void waiting.push(resolve)),
  };
}
