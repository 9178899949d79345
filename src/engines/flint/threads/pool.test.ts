import { describe, expect, it, onTestFinished, vi } from "vitest";
import { failure } from "../../../../test/engine-contract.ts";
import { HearthError, serializeError } from "../../../error.ts";
import type { FlintThreads, StartedThreads, Thread } from "./pool.ts";
import { startThreads } from "./pool.ts";
import type { ComputeMessage, Reply } from "./protocol.ts";
import type { Scores } from "./scoring.ts";
import { createScoring } from "./scoring.ts";

/** A thread that says what the test has it say. */
interface FakeThread extends Thread {
  readonly posted: readonly unknown[];
  readonly ended: boolean;
  say(reply: Reply): void;
  fail(error: Error): void;
}

function createThread(): FakeThread {
  const posted: unknown[] = [];
  const messages: ((reply: Reply) => void)[] = [];
  const failures: ((error: Error) => void)[] = [];
  let ended = false;
  return {
    posted,
    get ended() {
      return ended;
    },
    post: (message) => void posted.push(message),
    onMessage: (listen) => void messages.push(listen),
    onFailure: (listen) => void failures.push(listen),
    end: async () => void (ended = true),
    say: (reply) => messages.forEach((listen) => listen(reply)),
    fail: (error) => failures.forEach((listen) => listen(error)),
  };
}

const compute = {} as Required<ComputeMessage>;

function start(onNotice?: (text: string) => void): { threads: FakeThread[]; started: StartedThreads } {
  const threads: FakeThread[] = [];
  const started = startThreads({
    workers: 2,
    file: { path: "model" },
    start() {
      const thread = createThread();
      threads.push(thread);
      return thread;
    },
    onNotice,
  });
  return { threads, started };
}

async function ready(): Promise<{ threads: FakeThread[]; leader: FakeThread; pool: FlintThreads }> {
  const { threads, started } = start();
  for (const thread of threads) thread.say({ type: "loaded" });
  const [leader] = threads;
  if (!leader) throw new Error("no thread");
  return { threads, leader, pool: await started.ready(compute) };
}

describe("starting threads", () => {
  it("waits for all of them, and ends all of them when one cannot load", async () => {
    const { threads, started } = start();
    threads[0]?.say({ type: "loaded" });
    threads[1]?.say({
      type: "load-failed",
      error: serializeError(new HearthError("model_malformed", "It ends early.")),
    });
    const error = await failure(started.ready(compute));
    expect(error).toMatchObject({ code: "model_malformed", message: "It ends early." });
    expect(threads.map(({ ended }) => ended)).toEqual([true, true]);
  });

  it("tells of a thread that dies while it loads", async () => {
    const { threads, started } = start();
    threads[1]?.fail(new Error("out of memory"));
    await expect(started.ready(compute)).rejects.toThrow("out of memory");
  });

  it("passes on once what they say to the user, while they load and later", async () => {
    const said: string[] = [];
    const { threads, started } = start((text) => said.push(text));
    threads[0]?.say({ type: "notice", text: "There is no cache on disk." });
    for (const thread of threads) thread.say({ type: "loaded" });
    await started.ready(compute);
    threads[0]?.say({ type: "notice", text: "The disk is full." });
    expect(said).toEqual(["There is no cache on disk.", "The disk is full."]);
  });
});

describe("asking the leader", () => {
  const score = { type: "score", tokens: [1, 2, 3], from: 1, top: 0, priority: "interactive" } as const;

  function scoresOf(logprob: number): Scores {
    return { ...createScoring({ ...score, from: 2 }).scores, logprobs: Float64Array.of(logprob) };
  }

  it("gives each question its own answer", async () => {
    const { leader, pool } = await ready();
    const answers = [1, 2].map((from) => pool.ask({ ...score, from }, "scores"));
    const asked = leader.posted.filter((message) => (message as { type?: string }).type === "score") as {
      id: number;
    }[];
    leader.say({ type: "scores", id: asked[1]?.id ?? 0, scores: scoresOf(2) });
    leader.say({ type: "scores", id: asked[0]?.id ?? 0, scores: scoresOf(1) });
    expect((await Promise.all(answers)).map(({ scores }) => scores.logprobs[0])).toEqual([1, 2]);
  });

  it("passes on its errors, and gives up with its caller when it is let go of", async () => {
    const { leader, pool } = await ready();
    const refused = failure(pool.ask({ type: "profile" }, "profile"));
    leader.say({ type: "error", id: 1, error: serializeError(new HearthError("bad_request", "No.")) });
    expect(await refused).toMatchObject({ code: "bad_request" });
    const controller = new AbortController();
    const aborted = failure(pool.ask({ type: "profile" }, "profile", controller.signal));
    let settled = false;
    void aborted.then(() => (settled = true));
    controller.abort();
    await new Promise((resolve) => setImmediate(resolve));
    expect([settled, leader.posted.at(-1)]).toEqual([false, { type: "cancel", id: 2 }]);
    leader.say({ type: "end", id: 2, ended: false });
    expect((await aborted).code).toBe("aborted");
  });

  it("waits until what was cancelled is let go of", async () => {
    const { leader, pool } = await ready();
    const call = pool.open(() => {});
    call.send(score);
    let closed = false;
    const closing = call.close().then(() => (closed = true));
    await Promise.resolve();
    expect(leader.posted.at(-1)).toEqual({ type: "cancel", id: 1 });
    expect(closed).toBe(false);
    leader.say({ type: "end", id: 1, ended: false });
    await closing;
  });
});

describe("the end of threads", () => {
  it("by themselves fails what runs and what comes, and is told", async () => {
    const { threads, pool } = await ready();
    const running = failure(pool.ask({ type: "profile" }, "profile"));
    threads[1]?.fail(new Error("unreachable"));
    expect(await running).toMatchObject({ code: "engine_failed", message: "A thread of flint failed: unreachable" });
    expect((await pool.died).message).toBe("unreachable");
    expect((await failure(pool.ask({ type: "profile" }, "profile"))).code).toBe("engine_failed");
  });

  it("by being unloaded fails what runs, however often it is asked for", async () => {
    const { threads, pool } = await ready();
    const running = failure(pool.ask({ type: "profile" }, "profile"));
    vi.useFakeTimers({ toFake: ["setTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const disposed = Promise.all([pool.dispose(), pool.dispose()]);
    // The leader says nothing: it is waited for, but not for long.
    await vi.advanceTimersByTimeAsync(1400);
    expect(threads.map(({ ended }) => ended)).toEqual([false, false]);
    await vi.advanceTimersByTimeAsync(100);
    await disposed;
    expect((await running).code).toBe("engine_failed");
    expect(threads.map(({ ended }) => ended)).toEqual([true, true]);
    expect((await failure(pool.ask({ type: "profile" }, "profile"))).message).toBe("The model was unloaded.");
  });
});
