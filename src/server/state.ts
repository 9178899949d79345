/** Which requests are being answered; the server's way to its end. */
import { HearthError } from "../error.ts";

/** A request from its first byte to the last of its answer. */
export interface Running {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
  /** Idempotent. */
  end(): void;
}

export interface ServerState {
  readonly status: "ok" | "draining";
  readonly running: number;
  begin(client: AbortSignal): Running;
  /** From now on new requests are refused. */
  drain(): void;
  /** Ends all running requests with `shutting_down`. */
  abortAll(): void;
  /** Resolves when nothing runs. */
  idle(): Promise<void>;
}

export function createState(): ServerState {
  const running = new Set<AbortController>();
  const waiters: (() => void)[] = [];
  let status: "ok" | "draining" = "ok";
  return {
    get status() {
      return status;
    },
    get running() {
      return running.size;
    },
    begin(client) {
      const controller = new AbortController();
      const leave = (): void => controller.abort(new HearthError("aborted", "The client closed the connection."));
      if (client.aborted) leave();
      client.addEventListener("abort", leave, { once: true });
      running.add(controller);
      return {
        signal: controller.signal,
        abort: (reason) => controller.abort(reason),
        end() {
          client.removeEventListener("abort", leave);
          running.delete(controller);
          if (running.size === 0) for (const wake of waiters.splice(0)) wake();
        },
      };
    },
    drain() {
      status = "draining";
    },
    abortAll() {
      for (const controller of running) controller.abort(new HearthError("shutting_down", "The server was stopped."));
    },
    async idle() {
      if (running.size === 0) return;
      await new Promise<void>((resolve) => {
        waiters.push(resolve);
      });
    },
  };
}
