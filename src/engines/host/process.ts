import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { compileCacheEnvironment } from "../../config/environment.ts";
import { HearthError, serializeError } from "../../error.ts";
import { createDeferred } from "../../util/deferred.ts";
import { createLink } from "./link.ts";
import type { Link } from "./link.ts";
import { createLogTail } from "./log.ts";
import type { Packed } from "./parcel.ts";
import type { HostReply, HostRequest } from "./protocol.ts";
import { openSpools } from "./spool.ts";

export interface HostOptions {
  /** Module that the child runs; it calls `serveEngine`. */
  readonly entry: URL;
  readonly engine: string;
  readonly model: string;
  /** Flags of its Node. */
  readonly flags?: readonly string[];
  /** The child's whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly onNotice?: ((text: string) => void) | undefined;
  /** How often a child is asked whether it lives. */
  readonly pingMs?: number;
}

export interface HostProcessEvents {
  onReply(reply: HostReply): void;
  /** The child is gone, or was told to go: called once. */
  onEnd(error: HearthError): void;
  isBusy(): boolean;
  /** Somebody wants what the child says with this id. */
  isAwaited(id: number): boolean;
}

export interface HostProcess {
  readonly pid: number | undefined;
  readonly died: Promise<void>;
  /** Why there is no child any more. */
  readonly ended: HearthError | undefined;
  send(request: HostRequest): void;
  /** Only work in progress keeps this process alive, not an idle engine. */
  setBusy(busy: boolean): void;
  dispose(): Promise<void>;
}

const defaultPingMs = 5000;
/** Pings without an answer: 30 s for an idle child, 5 minutes for one that works. Counted, so that a machine that slept kills nobody. */
const idlePings = 6;
const busyPings = 60;
const politeMs = 2000;
/** Output may still be on its way when the child is gone; a grandchild that holds the pipe open delays us no longer. */
const drainMs = 200;

/** Starts the child. It is killed when it hangs, and ends itself when this process does. */
export function startProcess(options: HostOptions, events: HostProcessEvents): HostProcess {
  const spools = openSpools();
  const link = createLink(spools && { read: spools[1], write: spools[0] });
  const child = fork(options.entry, [], {
    env: { ...options.env, ...compileCacheEnvironment() },
    // Flags of this process (test runners, debuggers) are not meant for the child.
    execArgv: [...(options.flags ?? [])],
    serialization: "advanced",
    stdio: ["ignore", "pipe", "pipe", "ipc", ...(spools ?? [])],
  });
  const log = createLogTail();
  const died = createDeferred<void>();
  const exited = createDeferred<void>();
  let ended: HearthError | undefined;
  let disposing = false;
  let unanswered = 0;
  let hung = false;

  const end = (error: HearthError): void => {
    if (ended) return;
    ended = error;
    clearInterval(watch);
    events.onEnd(error);
    setReference(child, false);
  };
  const onGone = (death: Omit<Death, "hung" | "lines">): void => {
    end(deathError(options, { ...death, hung, lines: log.lines() }));
    link.close();
    exited.resolve();
    if (!disposing) died.resolve();
  };
  const post = (requests: readonly HostRequest[]): void => {
    // A child that dies right now takes the message with it: `close` tells everybody who waits.
    if (!ended && child.connected) child.send(link.pack(requests), () => {});
  };
  const send = (request: HostRequest): void => post([request]);
  const receive = (reply: Packed<HostReply>): void => {
    if (reply.type === "notice") options.onNotice?.(reply.text);
    else if (reply.type === "taken") link.free(reply.places);
    else if (reply.type === "pong" || events.isAwaited(reply.id)) events.onReply(unpackReply(link, reply, options));
    else link.drop(reply);
  };

  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (text) => log.push(text));
  child.on("message", (replies) => {
    unanswered = 0;
    for (const reply of replies as HostReply[]) receive(reply);
    if (link.urgent) post([]);
  });
  child.once("exit", (code, signal) => {
    const timer = setTimeout(() => onGone({ code, signal }), drainMs);
    child.once("close", () => {
      clearTimeout(timer);
      onGone({ code, signal });
    });
  });
  child.on("error", (cause) => {
    if (child.pid === undefined) onGone({ code: null, signal: null, cause });
  });
  if (spools) send({ type: "parcels" });
  const watch = setInterval(() => {
    if (unanswered >= (events.isBusy() ? busyPings : idlePings)) {
      hung = true;
      child.kill("SIGKILL");
    }
    unanswered++;
    link.trim();
    send({ type: "ping" });
  }, options.pingMs ?? defaultPingMs).unref();

  return {
    pid: child.pid,
    died: died.promise,
    get ended() {
      return ended;
    },
    send,
    setBusy: (busy) => setReference(child, busy && !ended),
    async dispose() {
      if (!disposing) {
        disposing = true;
        send({ type: "dispose" });
        end(new HearthError("engine_failed", `Model "${options.model}" was unloaded.`));
        setReference(child, true);
        const timer = setTimeout(() => child.kill("SIGKILL"), politeMs);
        void exited.promise.then(() => clearTimeout(timer));
      }
      await exited.promise;
    },
  };
}

/** A process that is broken can break its own requests, and nothing else. */
function unpackReply(link: Link, reply: Packed<HostReply>, { engine }: HostOptions): HostReply {
  if (!reply.parcels || !("id" in reply)) return reply;
  try {
    return link.unpack(reply);
  } catch (cause) {
    const message = `What the ${engine} engine answered cannot be read: ${String(cause)}`;
    return { type: "error", id: reply.id, error: serializeError(new HearthError("engine_failed", message)) };
  }
}

function setReference(child: ChildProcess, referenced: boolean): void {
  // The pipes are sockets; their type says only that they are readable.
  const handles = [child, child.channel, child.stdout, child.stderr] as ({ ref?(): void; unref?(): void } | null)[];
  for (const handle of handles) {
    if (referenced) handle?.ref?.();
    else handle?.unref?.();
  }
}

interface Death {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly hung: boolean;
  readonly cause?: Error;
  readonly lines: readonly string[];
}

function deathError({ engine, model }: HostOptions, death: Death): HearthError {
  const { code, signal, hung, cause, lines } = death;
  const killed = signal === "SIGKILL" && !hung;
  return new HearthError("engine_failed", `The ${engine} engine of model "${model}" ${howItEnded(death)}.`, {
    hint: killed
      ? "If nobody killed it, the system was out of memory: try a smaller quantization or --context. The next request loads the model again."
      : undefined,
    details: { model, engine, ...(signal && { signal }), ...(code !== null && { exitCode: code }) },
    cause: cause ?? (lines.length > 0 ? new Error(`Its last output:\n${lines.slice(-10).join("\n")}`) : undefined),
  });
}

function howItEnded({ code, signal, hung, cause }: Death): string {
  if (hung) return "did not answer any more and was stopped";
  if (cause) return `could not be started: ${cause.message}`;
  return signal ? `was killed by ${signal}` : `ended with exit code ${code ?? "unknown"}`;
}
