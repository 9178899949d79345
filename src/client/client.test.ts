import { describe, expect, test } from "vitest";
import type { HearthError } from "../error.ts";
import { createClient } from "./index.ts";
import type { Client, ClientChatEvent } from "./index.ts";

interface Seen {
  readonly url: string;
  readonly init: RequestInit;
}

/** A client whose server answers every request with the same response. */
function clientOf(
  respond: (seen: Seen) => Response | Promise<Response>,
  apiKey?: string,
): { client: Client; seen: Seen[] } {
  const seen: Seen[] = [];
  const fetch = async (url: unknown, init: RequestInit = {}): Promise<Response> => {
    const request = { url: String(url), init };
    seen.push(request);
    return await respond(request);
  };
  return {
    client: createClient({ baseUrl: "http://127.0.0.1:11535/", apiKey, fetch }),
    seen,
  };
}

function sse(...chunks: readonly unknown[]): string {
  return chunks.map((chunk) => `data: ${typeof chunk === "string" ? chunk : JSON.stringify(chunk)}\n\n`).join("");
}

function chunk(delta: object, more: object = {}): object {
  return { model: "tiny", choices: [{ index: 0, delta, finish_reason: null }], ...more };
}

const last = {
  model: "tiny",
  choices: [{ index: 0, delta: {}, finish_reason: "stop" }],
  timings: { prompt_ms: 5, predicted_ms: 9 },
};
const usage = {
  model: "tiny",
  choices: [],
  usage: { prompt_tokens: 3, completion_tokens: 4, prompt_tokens_details: { cached_tokens: 1 } },
};
const request = { model: "tiny", messages: [{ role: "user", content: "Hi" }] };

async function chat(text: string): Promise<ClientChatEvent[]> {
  return await Array.fromAsync(clientOf(() => new Response(text)).client.chat(request));
}

describe("chat", () => {
  const finish = {
    type: "finish",
    reason: "stop",
    usage: { promptTokens: 3, cachedTokens: 1, completionTokens: 4 },
    timings: { promptMs: 5, generateMs: 9 },
  };

  test("yields text and reasoning as they come, and the counts at the end", async () => {
    const text = sse(
      chunk({ role: "assistant", content: "" }),
      chunk({ reasoning_content: "Hm.", reasoning: "Hm." }),
      chunk({ content: "Hel" }),
      chunk({ content: "lo" }),
      last,
      usage,
      "[DONE]",
    );
    expect(await chat(`: keep-alive\n\n${text}`)).toEqual([
      { type: "start", model: "tiny", droppedTokens: 0 },
      { type: "reasoning-delta", text: "Hm." },
      { type: "text-delta", text: "Hel" },
      { type: "text-delta", text: "lo" },
      finish,
    ]);
  });

  test("puts tool calls together", async () => {
    const part = (index: number, body: object): object => chunk({ tool_calls: [{ index, ...body }] });
    const events = await chat(
      sse(
        part(0, { id: "a", type: "function", function: { name: "weather", arguments: "" } }),
        part(0, { function: { arguments: '{"city":' } }),
        part(1, { id: "b", type: "function", function: { name: "time", arguments: "{}" } }),
        part(0, { function: { arguments: '"Oslo"}' } }),
        { ...last, choices: [{ index: 0, delta: {}, finish_reason: "tool_calls" }] },
        usage,
        "[DONE]",
      ),
    );
    expect(events.slice(1)).toEqual([
      { type: "tool-call", call: { id: "a", name: "weather", arguments: '{"city":"Oslo"}' } },
      { type: "tool-call", call: { id: "b", name: "time", arguments: "{}" } },
      { ...finish, reason: "tool-calls" },
    ]);
  });

  test("tells how many tokens were dropped", async () => {
    const receipt = chunk({ content: "x" }, { hearth: { receipt: { dropped_tokens: 12 } } });
    expect((await chat(sse(receipt, last, "[DONE]")))[0]).toMatchObject({ type: "start", droppedTokens: 12 });
  });

  test("throws the error that comes inside the stream", async () => {
    const error = { error: { message: "The engine died.", type: "server_error", code: "engine_failed" } };
    await expect(chat(sse(chunk({ content: "x" }), error))).rejects.toMatchObject({
      code: "engine_failed",
      message: "The engine died.",
    });
  });

  test.each([sse(chunk({ content: "x" })), sse(chunk({ content: "x" }), last), 'data: {"model":"ti', ""])(
    "an answer that is cut off is an error, not a short answer (%#)",
    async (text) => {
      await expect(chat(text)).rejects.toMatchObject({ code: "engine_failed" });
    },
  );

  test("asks for a stream with usage, whatever the caller says", async () => {
    const { client, seen } = clientOf(() => new Response(sse(last, "[DONE]")), "secret");
    await Array.fromAsync(client.chat({ ...request, stream: false, temperature: 0 }));
    expect(seen[0]?.url).toBe("http://127.0.0.1:11535/v1/chat/completions");
    expect(seen[0]?.init.headers).toMatchObject({ authorization: "Bearer secret" });
    expect(JSON.parse(seen[0]?.init.body as string)).toEqual({
      ...request,
      temperature: 0,
      stream: true,
      stream_options: { include_usage: true },
    });
  });
});

describe("errors", () => {
  async function failure(respond: () => Response | Promise<Response>): Promise<HearthError> {
    return await clientOf(respond)
      .client.models()
      .then(
        () => Promise.reject(new Error("it did not fail")),
        (error: unknown) => error as HearthError,
      );
  }

  test.each([
    [{ error: { message: "m", code: "invalid_api_key" } }, 401, "unauthorized"],
    [{ error: { message: "m", code: "context_length_exceeded" } }, 400, "context_too_long"],
    [{ error: { message: "m", code: "queue_full" } }, 503, "queue_full"],
    [{ error: { message: "m", code: "constructor" } }, 400, "bad_request"],
    [{ error: { message: "m", code: null } }, 422, "model_malformed"],
    [{ error: "model 'x' not found." }, 404, "model_not_found"],
    [{ error: "There is nothing at this path." }, 404, "not_found"],
    [{ error: "m" }, 500, "engine_failed"],
    [{ error: "m" }, 599, "engine_failed"],
    [{ error: "m" }, 418, "bad_request"],
  ])("%j with status %d is %s", async (body, status, code) => {
    expect(await failure(() => Response.json(body, { status }))).toMatchObject({ code, hint: "" });
  });

  test("an answer that is no JSON still says something", async () => {
    expect((await failure(() => new Response("<html>", { status: 502 }))).message).toBe("The server answered 502.");
    expect((await failure(() => new Response("<html>"))).message).toContain("is not a hearth server");
  });

  test("nobody listens: says so and what to do", async () => {
    const refused = (): never => {
      throw new TypeError("fetch failed");
    };
    expect(await failure(refused)).toMatchObject({
      code: "offline",
      message: "No server answers at http://127.0.0.1:11535.",
      hint: "Start one with `hearth serve`.",
    });
  });

  test("an abort is an abort", async () => {
    const { client } = clientOf(({ init }) => Promise.reject(init.signal?.reason as Error));
    await expect(client.health({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
  });
});

test("stats are what the server says at /stats", async () => {
  const body = { atMs: 5, models: [{ name: "tiny", state: "loading", running: 0, waiting: 1 }] };
  const { client, seen } = clientOf(() => Response.json(body));
  expect(await client.stats()).toEqual(body);
  expect(seen[0]?.url).toBe("http://127.0.0.1:11535/stats");
});

describe("pull", () => {
  test("yields progress and throws the error that ends the stream", async () => {
    const lines = [
      { status: "pulling manifest" },
      { status: "pulling a", digest: "a", total: 10, completed: 5 },
      { error: "The disk is full." },
    ];
    const { client } = clientOf(() => new Response(lines.map((line) => `${JSON.stringify(line)}\n`).join("")));
    const progress: unknown[] = [];
    const work = (async () => {
      for await (const item of client.pull("new")) progress.push(item);
    })();
    await expect(work).rejects.toThrow("The disk is full.");
    expect(progress).toEqual([
      { status: "pulling manifest" },
      { status: "pulling a", file: "a", totalBytes: 10, completedBytes: 5 },
    ]);
  });
});
