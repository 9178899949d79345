import { expect, test } from "vitest";
import { createFakeHearth, eventsOf, finish, refuse, start, text } from "../../test/fake-hearth.ts";
import { describeHttp, requestApp } from "../../test/http.ts";
import { ollama } from "../dialects/ollama/index.ts";
import { openai } from "../dialects/openai/routes.ts";
import { HearthError } from "../error.ts";
import { createApp } from "./app.ts";
import type { AccessRecord, ErrorRecord } from "./exchange.ts";

const dialects = [openai, ollama];
const chat = { model: "tiny", messages: [{ role: "user", content: "hi" }] };
const chatPath = "/v1/chat/completions";

interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
}

async function errorOf(response: Response): Promise<ErrorBody["error"]> {
  return ((await response.json()) as ErrorBody).error;
}

describeHttp(
  "the server",
  () => ({ hearth: createFakeHearth(), dialects, version: "1.2.3" }),
  (http) => {
    test("says that it is well", async () => {
      const response = await http.request("/health");
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual({ status: "ok", version: "1.2.3" });
    });

    test("answers a chat, with an id of its own in the header", async () => {
      const response = await http.request(chatPath, { body: chat });
      expect(response.status).toBe(200);
      expect(response.headers.get("x-request-id")).toMatch(/^[\w-]{36}$/);
      expect(response.headers.get("access-control-allow-origin")).toBeNull();
      expect(await response.json()).toMatchObject({ choices: [{ message: { content: "Hello world." } }] });
    });

    test("streams the exact bytes that clients of OpenAI read", async () => {
      const response = await http.request(chatPath, { body: { ...chat, stream: true } });
      expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
      const lines = (await response.text()).split("\n\n");
      expect(lines.at(-1)).toBe("");
      expect(lines.at(-2)).toBe("data: [DONE]");
      const events = lines
        .slice(0, -2)
        .map((line) => JSON.parse(line.replace(/^data: /, "")) as Record<string, unknown>);
      expect(events.map(({ object }) => object)).toEqual(Array.from({ length: 4 }, () => "chat.completion.chunk"));
      expect(new Set(events.map(({ id }) => id)).size).toBe(1);
    });

    test("finds a model whose name has slashes and colons, escaped or not", async () => {
      for (const path of ["/v1/models/owner/big:q4", "/v1/models/owner%2Fbig%3Aq4"]) {
        const response = await http.request(path);
        expect(await response.json()).toMatchObject({ id: "owner/big:q4", object: "model" });
      }
    });

    test.each([
      ["/v1/nothing", 404, "not_found"],
      ["/V1/models", 404, "not_found"],
      ["//v1/models", 404, "not_found"],
      ["/%76%31/models", 404, "not_found"],
      ["/v1/models;x", 404, "not_found"],
      ["/v1/chat/completions", 405, "method_not_allowed"],
    ])("GET %s is %i in OpenAI's shape", async (path, status, code) => {
      const response = await http.request(path);
      expect(response.status).toBe(status);
      expect(await errorOf(response)).toMatchObject({ type: "invalid_request_error", code });
    });

    test("a path of Ollama's API that is not there fails in Ollama's shape", async () => {
      const response = await http.request("/api/nothing");
      expect(response.status).toBe(404);
      expect(await response.json()).toEqual({ error: expect.any(String) });
    });

    test("a 405 says which methods there are", async () => {
      const response = await http.request("/v1/models", { method: "DELETE" });
      expect(response.status).toBe(405);
      expect(response.headers.get("allow")).toBe("GET, HEAD");
    });

    test("HEAD is GET without the body", async () => {
      const response = await http.request("/v1/models", { method: "HEAD" });
      expect(response.status).toBe(200);
      expect(await response.text()).toBe("");
    });

    test("a model that is not here is 404 with a name that helps", async () => {
      const response = await http.request(chatPath, { body: { ...chat, model: "tinny" } });
      expect(response.status).toBe(404);
      expect(await errorOf(response)).toMatchObject({ code: "model_not_found", param: "model" });
    });

    test.each(["/etc/passwd", "../secret.gguf", "~/model.gguf", "./x", "C:\\models\\x.gguf"])(
      "a request cannot point at the file %s",
      async (model) => {
        const response = await http.request(chatPath, { body: { ...chat, model } });
        expect(response.status).toBe(404);
        expect((await errorOf(response)).message).toContain("cannot give a path");
      },
    );

    test("a wrong field is named", async () => {
      const response = await http.request(chatPath, { body: { ...chat, temperature: "hot" } });
      expect(response.status).toBe(400);
      expect(await errorOf(response)).toEqual({
        message: "temperature is a string; it must be a number.",
        type: "invalid_request_error",
        param: "temperature",
        code: null,
      });
    });

    test("metrics count requests, tokens and times", async () => {
      await (await http.request(chatPath, { body: chat })).text();
      const response = await http.request("/metrics");
      expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
      const metrics = await response.text();
      expect(metrics).toMatch(/^hearth_requests_total\{route="\/v1\/chat\/completions",status="200"\} \d+$/m);
      expect(metrics).toMatch(/^hearth_requests_total\{route="unmatched",status="404"\} \d+$/m);
      expect(metrics).toMatch(/^hearth_prompt_tokens_total [1-9]\d*$/m);
      expect(metrics).toMatch(/^hearth_completion_tokens_total [1-9]\d*$/m);
      expect(metrics).toMatch(/^hearth_request_duration_seconds_count\{route="\/v1\/chat\/completions"\} \d+$/m);
      expect(metrics).toMatch(/^hearth_engine_deaths_total 1$/m);
      expect(metrics).toMatch(/^hearth_memory_used_bytes 1024$/m);
    });

    test("a model is put to sleep by its name, and never by a path", async () => {
      const response = await http.request("/sleep", { method: "POST", body: { model: "tiny" } });
      expect([response.status, await response.json()]).toEqual([200, { model: "tiny", asleep: true }]);
      const bad = await http.request("/sleep", { method: "POST", body: {} });
      expect([bad.status, await bad.text()]).toEqual([400, expect.stringContaining("model is missing")]);
      expect((await http.request("/sleep", { method: "POST", body: { model: "/tiny.gguf" } })).status).toBe(404);
    });

    test("stats are what `hearth top` shows", async () => {
      const response = await http.request("/stats");
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual({ atMs: expect.any(Number), models: [] });
    });
  },
);

describeHttp(
  "bodies",
  () => ({ hearth: createFakeHearth({ settings: { bodyLimit: 2048 } }), dialects }),
  (http) => {
    const json = JSON.stringify(chat);
    const type = (value: string) => ({ "content-type": value });

    test.each([
      ["application/json", 200],
      ["application/json; charset=utf-8", 200],
      ["Application/JSON", 200],
      ["application/x-www-form-urlencoded", 200],
      ["text/plain", 415],
      ["multipart/form-data; boundary=x", 415],
      ["application/xml", 415],
    ])("%s: %i", async (value, status) => {
      expect((await http.request(chatPath, { body: json, headers: type(value) })).status).toBe(status);
    });

    test("a web page has to say application/json", async () => {
      const origin = { host: "localhost", origin: "http://localhost" };
      const send = async (headers: Record<string, string>) =>
        (await http.request(chatPath, { body: json, headers: { ...origin, ...headers } })).status;
      expect(await send(type("application/json"))).toBe(200);
      expect(await send(type("application/x-www-form-urlencoded"))).toBe(415);
      expect(await send(type("text/plain"))).toBe(415);
    });

    test("a body over the limit is refused", async () => {
      const response = await http.request(chatPath, { body: { ...chat, pad: "x".repeat(4096) } });
      expect(response.status).toBe(413);
      expect((await errorOf(response)).message).toContain("the limit is 2.0 KiB");
    });

    test("a compressed body is refused", async () => {
      const response = await http.request(chatPath, {
        body: json,
        headers: { ...type("application/json"), "content-encoding": "gzip" },
      });
      expect(response.status).toBe(415);
    });

    test.each([
      ["{", "ends too early at position 1"],
      ['{"model": secret}', "is not JSON at position 10"],
      [`{"a":${"[".repeat(500)}`, "nests 501 deep"],
      ["[]", "it must be a JSON object"],
      ["7", "it must be a JSON object"],
      ["", "it must be a JSON object"],
    ])("%s is refused and not repeated", async (body, message) => {
      const response = await http.request(chatPath, { body, headers: type("application/json") });
      expect(response.status).toBe(400);
      const error = await errorOf(response);
      expect(error.message).toContain(message);
      expect(error.message).not.toContain("secret");
    });
  },
);

const secret = "canary-9f3c /home/ann/models/x.gguf";
const failures: Readonly<Record<string, Error>> = {
  bug: new TypeError(secret),
  load: new HearthError("engine_load_failed", 'Loading "/home/ann/models/x.gguf" failed.'),
  queue: new HearthError("queue_full", "512 requests wait.", { retryAfterSeconds: 7 }),
  long: new HearthError("context_too_long", "The prompt has 9,000 tokens; 4,096 fit."),
};

const errors: ErrorRecord[] = [];
const accesses: AccessRecord[] = [];

describeHttp(
  "failures",
  () => ({
    hearth: createFakeHearth({
      models: [...Object.keys(failures), "midway", "dropped"],
      generate: ({ model }) => {
        if (model === "midway") return failMidway();
        const receipt = {
          policy: "truncate-oldest",
          droppedTokens: 12,
          droppedMessages: 2,
          promptTokensBefore: 40,
          promptTokensAfter: 28,
        } as const;
        if (model === "dropped") return eventsOf([{ type: "start", model, receipt }, text("Hi"), finish()]);
        return refuse(failures[model]);
      },
    }),
    dialects,
    onError: (record) => errors.push(record),
    onAccess: (record) => accesses.push(record),
  }),
  (http) => {
    const ask = async (model: string, stream = false) =>
      await http.request(chatPath, { body: { ...chat, model, stream } });

    test("a bug of ours shows an id, and its text only to the log", async () => {
      for (const stream of [false, true]) {
        const response = await ask("bug", stream);
        expect(response.status).toBe(500);
        const id = response.headers.get("x-request-id") ?? "";
        const { message, type } = await errorOf(response);
        expect(type).toBe("server_error");
        expect(message).toContain(id);
        expect(message).not.toMatch(/canary|\/home|at /);
        expect(errors.find((record) => record.id === id)?.error).toMatchObject({ message: secret });
      }
    });

    test("an error names files without the folders they are in", async () => {
      const { message } = await errorOf(await ask("load"));
      expect(message).toContain('"x.gguf" failed');
      expect(message).not.toContain("/home");
    });

    test("a full queue is 503 and says when to come again", async () => {
      const response = await ask("queue");
      expect(response.status).toBe(503);
      expect(response.headers.get("retry-after")).toBe("7");
    });

    test("a prompt that is too long has OpenAI's code for it, also when it would stream", async () => {
      const response = await ask("long", true);
      expect(response.status).toBe(400);
      expect(await errorOf(response)).toMatchObject({ code: "context_length_exceeded", param: "messages" });
    });

    test("an engine that dies in a stream ends it with an error and no [DONE]", async () => {
      const response = await ask("midway", true);
      expect(response.status).toBe(200);
      const frames = (await response.text()).split("\n\n").filter((frame) => frame !== "");
      expect(frames).toHaveLength(3);
      expect(JSON.parse(frames[2]?.replace("data: ", "") ?? "")).toMatchObject({
        error: { type: "server_error", code: "engine_failed" },
      });
      expect(accesses.findLast((access) => access.id === response.headers.get("x-request-id"))).toMatchObject({
        end: "failed",
      });
    });

    test("dropped tokens are told in a header and in the body, streaming or not", async () => {
      for (const stream of [false, true]) {
        const response = await ask("dropped", stream);
        expect(response.headers.get("x-hearth-dropped-tokens")).toBe("12");
        expect(await response.text()).toContain('"hearth":{"receipt":{"policy":"truncate-oldest","dropped_tokens":12,');
      }
    });

    test("the access log has no query and no prompt", async () => {
      const response = await http.request(`${chatPath}?key=canary`, { body: { ...chat, model: "dropped" } });
      await response.text();
      const access = accesses.findLast((each) => each.id === response.headers.get("x-request-id"));
      expect(access).toEqual({
        id: expect.any(String),
        method: "POST",
        path: chatPath,
        route: chatPath,
        status: 200,
        durationMs: expect.any(Number),
        end: "complete",
      });
    });
  },
);

async function* failMidway() {
  yield* eventsOf([start, text("Hel")]);
  throw new HearthError("engine_failed", "The engine died.");
}

test("the library learns whose request it is, so that caches stay apart", async () => {
  const hearth = createFakeHearth({ settings: { apiKey: "k1" } });
  const app = createApp({ hearth, dialects });
  await requestApp(app, chatPath, { body: chat, headers: { authorization: "Bearer k1" } });
  expect(hearth.requests[0]?.tenant).toMatch(/^key-[0-9a-f]{32}$/);
});

test("origins are listed one by one, never as *", () => {
  expect(() => createApp({ hearth: createFakeHearth({ settings: { allowOrigin: ["*"] } }), dialects })).toThrow(
    "must be an origin",
  );
});
