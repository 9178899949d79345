/** A server as a child process. It ends with the bench, whatever ends the bench. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { HearthError } from "../../error.ts";
import { createDeferred } from "../../util/deferred.ts";

export interface ProgramOptions {
  /** For messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface Program {
  readonly pid: number | undefined;
  readonly running: boolean;
  /** The first line on its standard output; the rest is read and dropped. */
  readonly firstLine: Promise<string>;
  /** Settles as `work` does, or throws once the program has ended. */
  whileRunning<T>(work: Promise<T>): Promise<T>;
  /** Asks it to end, and kills it when it takes too long. Idempotent. */
  stop(): Promise<void>;
}

const patienceMs = 30_000;
const tailCharacters = 2000;

export function startProgram({ name, command, args, env }: ProgramOptions): Program {
  const child = spawn(command, [...args], { stdio: ["ignore", "pipe", "pipe"], env, windowsHide: true });
  const first = createDeferred<string>();
  const failed = createDeferred<never>();
  let tail = "";
  let running = true;
  createInterface({ input: child.stdout }).on("line", (line) => first.resolve(line));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    tail = `${tail}${text}`.slice(-tailCharacters);
  });
  const ended = new Promise<void>((resolve) => {
    const end = (how: string): void => {
      running = false;
      failed.reject(new HearthError("engine_failed", `${name} ${how}. ${tail.trim()}`.trim(), { hint: "" }));
      resolve();
    };
    child.once("error", (error) => end(`cannot be run: ${error.message}`));
    child.once("exit", (code, signal) => end(`ended with ${signal ?? `code ${code}`}`));
  });
  // Nobody may be waiting when it ends.
  failed.promise.catch(() => undefined);
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  void ended.then(() => process.off("exit", kill));
  const whileRunning = async <T>(work: Promise<T>): Promise<T> => await Promise.race([work, failed.promise]);
  return {
    pid: child.pid,
    get running() {
      return running;
    },
    get firstLine() {
      return whileRunning(first.promise);
    },
    whileRunning,
    async stop() {
      child.kill("SIGTERM");
      const timer = setTimeout(kill, patienceMs);
      await ended;
      clearTimeout(timer);
    },
  };
}
