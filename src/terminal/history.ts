import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** Lines typed before, oldest first, kept in a file that only its owner can read. */
export interface History {
  readonly lines: readonly string[];
  /** While false nothing is written. */
  enabled: boolean;
  add(line: string): void;
}

const most = 1000;

/** A file that cannot be read or written costs the history, not the chat. */
export function createHistory(path: string): History {
  const lines = readLines(path);
  if (lines.length > most) rewrite(path, lines.splice(0, lines.length - most) && lines);
  return {
    lines,
    enabled: true,
    add(line) {
      if (!this.enabled || line.trim() === "" || lines.at(-1) === line) return;
      lines.push(line);
      attempt(() => {
        mkdirSync(dirname(path), { recursive: true });
        appendFileSync(path, `${line.replaceAll("\n", " ")}\n`, { mode: 0o600 });
      });
    },
  };
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, "utf8")
      .split("\n")
      .filter((line) => line !== "");
  } catch {
    return [];
  }
}

function rewrite(path: string, lines: readonly string[]): void {
  attempt(() => {
    writeFileSync(path, lines.map((line) => `${line}\n`).join(""), { mode: 0o600 });
  });
}

function attempt(work: () => void): void {
  try {
    work();
  } catch {
    // See above.
  }
}
