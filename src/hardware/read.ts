/** Looking at the machine: every look may find nothing, and nothing is an answer. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** What the probes look through; tests hand in a machine of their own. */
export interface Looker {
  /** Text of a file; undefined where it is not there or not readable. */
  read(path: string): string | undefined;
  /** Names in a folder; none where there is no such folder. */
  entries(path: string): readonly string[];
  /** Standard output of a tool; undefined where it is missing, fails or takes longer than 5 s. */
  run(command: string, args: readonly string[]): Promise<string | undefined>;
}

const toolTimeoutMs = 5000;

export const machine: Looker = {
  read(path) {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return undefined;
    }
  },
  entries(path) {
    try {
      return readdirSync(path).sort();
    } catch {
      return [];
    }
  },
  run: (command, args) =>
    new Promise((resolve) => {
      const options = { timeout: toolTimeoutMs, maxBuffer: 4 * 1024 ** 2, windowsHide: true };
      try {
        execFile(command, [...args], options, (error, stdout) => {
          resolve(error ? undefined : stdout);
        });
      } catch {
        resolve(undefined);
      }
    }),
};
