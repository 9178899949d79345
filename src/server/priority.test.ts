/** Who gets the next turn over HTTP, with the tasks, the runtime and the fake engine behind the server. */
import { EventEmitter, once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createFakeHearth, defaultSettings } from "../../test/fake-hearth.ts";
import { createFakeLibrary } from "../../test/fake-library.ts";
import { requestApp } from "../../test/http.ts";
import { ollama } from "../dialects/ollama/index.ts";
import { openai } from "../dialects/openai/routes.ts";
import { createFakeEngine } from "../engines/fake/engine.ts";
import type { Runtime } from "../runtime/contract.ts";
import { createRuntime } from "../runtime/runtime.ts";
import { chat } from "../tasks/chat.ts";
import { complete } from "../tasks/complete.ts";
import type { Hearth } from "../tasks/contract.ts";
import { createApp } from "./app.ts";

const dialects = [openai, ollama];
const chatPath = "/v1/chat/completions";

interface House {
  /** Prompts in the order in which the engine got them. */
  readonly order: readonly string[];
  /** Sends a request and waits until it has come to the runtime, where the order of arrival is made. */
  readonly send: (name: string, headers: Readonly<Record<string, string>>, body?: object) => Promise<Sent>;
  /** Lets the answers go on. */
  readonly open: () => void;
}

interface Sent {
  readonly response: Promise<Response>;
}

/** One seat; answers wait until `open`. The keys are `ann`, `bob` and, for batch work, `nightly`. */
function createHouse(queue = 100): House {
  const gate = Promise.withResolvers<void>();
  const order: string[] = [];
  const engine = createFakeEngine({
    reply: "yes",
    async beforePrompt({ prompt }) {
      order.push(prompt.map((part) => (typeof part === "object" && "text" in part ? part.text : "")).join(""));
      await gate.promise;
    },
  });
  const apiKeyFile = join(mkdtempSync(join(tmpdir(), "hearth-keys-")), "keys");
  writeFileSync(apiKeyFile, "ann\nbob\nnightly batch\n");
  const settings = { ...defaultSettings, apiKeyFile, parallel: 1, queue };
  const library = createFakeLibrary([{ name: "tiny", info: { chatTemplate: "{{ messages[0].content }}" } }]);
  const runtime = createRuntime({
    library,
    engines: { choose: async () => ({ engine: "fake", device: "cpu", reasons: [] }), get: async () => engine },
    settings,
    memory: () => ({ totalBytes: 64 * 1024 ** 3, availableBytes: 60 * 1024 ** 3 }),
  });
  const arrivals = new EventEmitter();
  const acquire: Runtime["acquire"] = async (request) => {
    arrivals.emit("one");
    return await runtime.acquire(request);
  };
  const counted = { ...runtime, acquire };
  const hearth: Hearth = {
    ...createFakeHearth({ settings }),
    library,
    runtime,
    chat: (request) => chat(counted, request),
    complete: (request) => complete(counted, request),
  };
  const app = createApp({ hearth, dialects });
  return {
    order,
    open: gate.resolve,
    async send(name, headers, more = {}) {
      const raw = "raw" in more;
      const content = raw ? { prompt: name } : { messages: [{ role: "user", content: name }] };
      const body = { model: "tiny", stream: false, ...content, ...more };
      const arrival = once(arrivals, "one");
      const response = requestApp(app, raw ? "/api/generate" : chatPath, { headers, body });
      await arrival;
      return { response };
    },
  };
}

const key = (name: string) => ({ authorization: `Bearer ${name}` });
const ann = key("ann");

test("two keys take turns, however many requests one of them sends first", async () => {
  const { send, open, order } = createHouse();
  const sent: Sent[] = [];
  for (const name of ["a1", "a2", "a3", "b1"]) sent.push(await send(name, key(name === "b1" ? "bob" : "ann")));
  open();
  for (const { response } of sent) expect((await response).status).toBe(200);
  expect(order.slice(0, 2)).toEqual(["a1", "b1"]);
});

test("flex requests of OpenAI, vLLM's priority, the header and a key for batch work wait for the others", async () => {
  const { send, open, order } = createHouse();
  const sent = [
    await send("first", ann),
    await send("flex", ann, { service_tier: "flex" }),
    await send("late", ann, { priority: 1 }),
    await send("header", { ...ann, "x-hearth-priority": "batch" }, { raw: true }),
    await send("nightly", key("nightly")),
    await send("urgent", key("nightly"), { service_tier: "default" }),
    await send("plain", ann, { service_tier: "auto", priority: 0 }),
  ];
  open();
  const bodies = await Promise.all(sent.map(async ({ response }) => (await (await response).json()) as object));
  expect(order.slice(0, 3).toSorted()).toEqual(["first", "plain", "urgent"]);
  expect(order.slice(3).toSorted()).toEqual(["flex", "header", "late", "nightly"]);
  expect(bodies[1]).toMatchObject({ service_tier: "flex" });
  expect(bodies[4]).not.toHaveProperty("service_tier");
  expect(bodies[5]).toMatchObject({ service_tier: "default" });
});

test("a stream says in each chunk what its tier was", async () => {
  const { send, open } = createHouse();
  open();
  const { response } = await send("hi", ann, { service_tier: "flex", stream: true });
  const chunks = (await (await response).text()).split("\n\n").filter((line) => line.startsWith("data: {"));
  expect(chunks.length).toBeGreaterThan(1);
  for (const chunk of chunks) expect(JSON.parse(chunk.slice(6))).toMatchObject({ service_tier: "flex" });
});

test("who fills the queue gets 429 with a time to try again once somebody else needs a place", async () => {
  const { send, open } = createHouse(2);
  const [, second, third] = [await send("a1", ann), await send("a2", ann), await send("a3", ann)];
  const other = await send("b1", key("bob"));
  const refused = await third.response;
  expect(refused.status).toBe(429);
  expect(refused.headers.get("retry-after")).toBe("1");
  expect(await refused.json()).toMatchObject({ error: { type: "rate_limit_error", code: "too_many_requests" } });
  open();
  for (const { response } of [second, other]) expect((await response).status).toBe(200);
});

test.each(["", "flex", "Batch", "batch, batch"])(
  "the header x-hearth-priority: %s is a 400 that names it",
  async (value) => {
    const app = createApp({ hearth: createFakeHearth(), dialects });
    const body = { model: "tiny", messages: [{ role: "user", content: "hi" }] };
    for (const path of [chatPath, "/api/chat", "/v1/embeddings"]) {
      const response = await requestApp(app, path, { body, headers: { "x-hearth-priority": value } });
      expect(response.status).toBe(400);
      expect(await response.text()).toContain("x-hearth-priority");
    }
  },
);

test.each([
  [{}, {}, undefined],
  [{ "x-hearth-priority": "batch" }, {}, "batch"],
  [{ "x-hearth-priority": "batch" }, { service_tier: "priority" }, "interactive"],
  [{ "x-hearth-priority": "interactive" }, { priority: 3 }, "batch"],
  [{ "x-hearth-priority": "batch" }, { service_tier: "auto", priority: 0 }, "batch"],
] as const)("headers %j and body %j make the class %s: the body counts first", async (headers, more, expected) => {
  const hearth = createFakeHearth();
  const app = createApp({ hearth, dialects });
  const body = { model: "tiny", messages: [{ role: "user", content: "hi" }], prompt: "hi", input: "hi", ...more };
  for (const path of [chatPath, "/v1/completions"]) await requestApp(app, path, { body, headers });
  expect(hearth.requests.map(({ priority }) => priority)).toEqual([expected, expected]);
});

test("embeddings, ranking and Ollama's routes take the header too", async () => {
  const hearth = createFakeHearth();
  const app = createApp({ hearth, dialects });
  const headers = { "x-hearth-priority": "batch" };
  for (const [path, body] of [
    ["/v1/embeddings", { input: "hi" }],
    ["/v1/rerank", { query: "hi", documents: ["hi"] }],
    ["/api/chat", { messages: [{ role: "user", content: "hi" }] }],
    ["/api/generate", { prompt: "hi" }],
    ["/api/embed", { input: "hi" }],
  ] as const) {
    expect((await requestApp(app, path, { body: { model: "tiny", stream: false, ...body }, headers })).status).toBe(
      200,
    );
  }
  expect(hearth.requests.map(({ priority }) => priority)).toEqual(Array.from({ length: 5 }, () => "batch"));
});
