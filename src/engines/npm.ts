import { spawn } from "node:child_process";
import { HearthError } from "../error.ts";
import { abortError } from "../util/abort.ts";

export interface NpmRun {
  readonly arguments: readonly string[];
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  readonly onLine?: ((line: string) => void) | undefined;
}

/** Runs the user's own npm. Tests hand in another. Throws `engine_missing` when there is none or it fails. */
export type RunNpm = (run: NpmRun) => Promise<void>;

const keptLines = 8;

export const runNpm: RunNpm = async ({ arguments: words, folder, env, signal, onLine }) => {
  if (signal?.aborted) throw abortError(signal);
  // npm is a script with another name on Windows, where only a shell starts scripts; no word here comes from outside.
  const shell = process.platform === "win32";
  const child = spawn("npm", [...words], { cwd: folder, env, shell, stdio: ["ignore", "pipe", "pipe"] });
  const last: string[] = [];
  const onText = (text: string): void => {
    for (const line of text.split("\n")) {
      if (line.trim() === "") continue;
      onLine?.(line);
      last.push(line);
      if (last.length > keptLines) last.shift();
    }
  };
  child.stdout.setEncoding("utf8").on("data", onText);
  child.stderr.setEncoding("utf8").on("data", onText);
  const onAbort = (): void => void child.kill("SIGKILL");
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    if (signal?.aborted) throw abortError(signal);
    if (code !== 0) throw npmError(code, last);
  } catch (error) {
    if (error instanceof HearthError) throw error;
    throw new HearthError("engine_missing", "npm could not be started; engine packs are installed with it.", {
      hint: "npm comes with Node.js: install it, or put it on the PATH.",
      cause: error,
    });
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
};

function npmError(code: number | null, lines: readonly string[]): HearthError {
  const text = lines.join("\n");
  if (/\bENOSPC\b/.test(text))
    return new HearthError("disk_full", "The disk is full: the engine pack was not installed.");
  const offline = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH)\b/.test(text);
  const first = lines.find((line) => /npm (error|ERR!)/.test(line) && !/\bcode\b/.test(line)) ?? lines.at(-1) ?? "";
  return new HearthError(
    "engine_missing",
    `npm could not install the engine pack (exit code ${code ?? "none"}): ${first}`,
    {
      hint: offline
        ? "The npm registry was not reached. Check the network and the registry of your npm configuration, or copy the folder `engines` of the data folder from another machine."
        : "Run `npm ping` to see whether npm works, then try again.",
      cause: new Error(text),
    },
  );
}
