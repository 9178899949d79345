/** Ctrl-C and SIGTERM: the first asks for a clean end, a second one ends the process at once. */
import { HearthError } from "../error.ts";

type Signal = "SIGINT" | "SIGTERM" | "SIGHUP";

export interface Process {
  on(name: Signal, listener: (name: Signal) => void): unknown;
  exit(code: number): void;
}

export interface Interrupts {
  readonly signal: AbortSignal;
  /** 130 of an interrupted command becomes 143 when it was SIGTERM that ended it. */
  exitCode(code: number): number;
}

const numbers: Readonly<Record<Signal, number>> = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 };

/** npm passes on what the terminal has already sent: within this time two signals are one wish. */
const echoMs = 500;

export function watchInterrupts(target: Process, now: () => number = () => performance.now()): Interrupts {
  const controller = new AbortController();
  let firstAt: number | undefined;
  let received: Signal | undefined;
  const onSignal = (name: Signal): void => {
    if (firstAt === undefined) {
      firstAt = now();
      received = name;
      controller.abort(new HearthError("aborted", "Interrupted."));
    } else if (now() - firstAt > echoMs) {
      target.exit(128 + numbers[name]);
    }
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) target.on(name, onSignal);
  return {
    signal: controller.signal,
    exitCode: (code) => (code === 130 && received !== undefined ? 128 + numbers[received] : code),
  };
}
