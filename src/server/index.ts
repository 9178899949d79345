/** `hearth serve` as a function. */
import { kserve } from "../dialects/kserve/index.ts";
import { ollama } from "../dialects/ollama/index.ts";
import { openai } from "../dialects/openai/routes.ts";
import type { Dialect } from "../dialects/route.ts";
import { HearthError } from "../error.ts";
import type { Hearth } from "../tasks/contract.ts";
import { sleep } from "../util/abort.ts";
import { packageVersion } from "../util/package.ts";
import { createApp } from "./app.ts";
import { createAuth } from "./auth.ts";
import type { AccessRecord, ErrorRecord } from "./exchange.ts";
import { createHostRules, isLoopback } from "./hosts.ts";
import { listen } from "./listen.ts";

export interface ServeOptions {
  readonly hearth: Hearth;
  /** Default: `host` and `port` of the settings. */
  readonly host?: string;
  readonly port?: number;
  /** Default: OpenAI's and Ollama's. */
  readonly dialects?: readonly Dialect[];
  readonly onAccess?: (record: AccessRecord) => void;
  readonly onError?: (record: ErrorRecord) => void;
}

export interface RunningServer {
  /** `http://127.0.0.1:11535`. */
  readonly url: string;
  readonly address: { readonly host: string; readonly port: number };
  /**
   * New requests get 503; running ones may go on for `drain` of the settings, then they end with an error. A second
   * call ends them at once. Resolves when the socket is closed. hearth itself is not disposed.
   */
  shutdown(): Promise<void>;
  /** Resolves when the socket is closed. */
  readonly closed: Promise<void>;
}

/** Throws `unsafe_bind`, `port_in_use`, `usage`. */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { hearth, onAccess, onError, dialects = [openai, ollama, kserve] } = options;
  const { settings } = hearth;
  const { host = settings.host, port = settings.port } = options;
  const auth = createAuth(settings);
  if (!auth.required && !isLoopback(host)) {
    throw new HearthError("unsafe_bind", `${host} can be reached from other machines, and no API key is set.`);
  }
  const app = createApp({
    hearth,
    dialects,
    auth,
    hosts: createHostRules({ ...settings, host }),
    version: packageVersion(),
    ...(onAccess && { onAccess }),
    ...(onError && { onError }),
  });
  const listener = await listen({ app, host, port });
  const closed = Promise.withResolvers<void>();
  const now = new AbortController();

  const stop = async (): Promise<void> => {
    app.state.drain();
    await Promise.race([app.state.idle(), sleep(settings.drain, now.signal).catch(() => {})]);
    app.state.abortAll();
    await app.state.idle();
    // What was said last is still on its way; a client that does not take it must not hold the exit.
    const timer = setTimeout(() => listener.destroy(), lastWordsMs);
    await listener.close();
    clearTimeout(timer);
    closed.resolve();
  };
  return {
    url: listener.url,
    address: listener.address,
    closed: closed.promise,
    async shutdown() {
      if (app.state.status === "ok") await stop();
      else now.abort();
      await closed.promise;
    },
  };
}

const lastWordsMs = 1000;

interface Signals {
  on(name: "SIGTERM" | "SIGINT", listener: () => void): unknown;
  off(name: "SIGTERM" | "SIGINT", listener: () => void): unknown;
}

/** SIGTERM and SIGINT drain the server; a second one ends it at once. */
export function shutdownOnSignals(
  server: Pick<RunningServer, "shutdown" | "closed">,
  signals: Signals = process,
): void {
  const names = ["SIGTERM", "SIGINT"] as const;
  const onSignal = (): void => void server.shutdown();
  for (const name of names) signals.on(name, onSignal);
  const stopListening = (): void => names.forEach((name) => signals.off(name, onSignal));
  void server.closed.then(stopListening);
}
