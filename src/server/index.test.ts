import { EventEmitter, once } from "node:events";
import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import type { FakeHearthOptions } from "../../test/fake-hearth.ts";
import { aborted, createFakeHearth, eventsOf, finish, sayAndWait, start, text } from "../../test/fake-hearth.ts";
import { requestSocket } from "../../test/http.ts";
import { openai } from "../dialects/openai/routes.ts";
import { createApp } from "./app.ts";
import type { AccessRecord } from "./exchange.ts";
import type { RunningServer } from "./index.ts";
import { serve, shutdownOnSignals } from "./index.ts";
import { listen } from "./listen.ts";

const chatPath = "/v1/chat/completions";
const body = { model: "tiny", messages: [{ role: "user", content: "hi" }] };

const servers: RunningServer[] = [];

afterEach(async () => {
  // The second call does not wait for what still runs.
  for (const server of servers.splice(0)) await Promise.all([server.shutdown(), server.shutdown()]);
});

async function run(options: FakeHearthOptions = {}): Promise<RunningServer> {
  const server = await serve({ hearth: createFakeHearth(options), host: "127.0.0.1", port: 0 });
  servers.push(server);
  return server;
}

function ask(server: RunningServer, path: string, init?: Parameters<typeof requestSocket>[2]): Promise<Response> {
  return requestSocket(server.address.port, path, init);
}

describe("starting", () => {
  test("takes a free port and says where it is", async () => {
    const server = await run();
    expect(server.url).toBe(`http://127.0.0.1:${server.address.port}`);
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    expect(await (await fetch(server.url)).text()).toBe("Ollama is running");
  });

  test.each(["0.0.0.0", "::", "192.168.0.1", "example.org", "127.0.0.1.example.org"])(
    "on %s without a key is refused before anything is bound",
    async (host) => {
      await expect(serve({ hearth: createFakeHearth(), host, port: 0 })).rejects.toMatchObject({ code: "unsafe_bind" });
    },
  );

  test("on all addresses with a key, it answers to the addresses of this machine only", async () => {
    const hearth = createFakeHearth({ settings: { apiKey: "key" } });
    const server = await serve({ hearth, host: "0.0.0.0", port: 0 });
    servers.push(server);
    expect((await ask(server, "/health", { headers: { host: "0.0.0.0:1" } })).status).toBe(200);
    expect((await ask(server, "/health", { headers: { host: "evil.com" } })).status).toBe(403);
  });

  test("on a port that is taken says so", async () => {
    const { port } = (await run()).address;
    await expect(serve({ hearth: createFakeHearth(), host: "127.0.0.1", port })).rejects.toMatchObject({
      code: "port_in_use",
      message: `Port ${port} on 127.0.0.1 is in use.`,
    });
  });

  test("on an address of another machine says so", async () => {
    const hearth = createFakeHearth({ settings: { apiKey: "key" } });
    await expect(serve({ hearth, host: "203.0.113.7", port: 0 })).rejects.toThrow("203.0.113.7 cannot be bound");
  });
});

describe("a client that leaves", () => {
  test.each([
    ["a stream", true],
    ["an answer", false],
  ])("while it waits for %s ends the work within 100 ms", async (_name, stream) => {
    const leaves = new AbortController();
    const began = Promise.withResolvers<void>();
    const stopped = Promise.withResolvers<number>();
    const server = await run({
      generate(request) {
        began.resolve();
        return sayAndWait(request, ["Hel"], () => stopped.resolve(performance.now()));
      },
    });
    const answer = ask(server, chatPath, { body: { ...body, stream }, signal: leaves.signal });
    if (stream) await (await answer).body?.getReader().read();
    else answer.catch(() => {});
    await began.promise;
    const leftAt = performance.now();
    leaves.abort();
    expect((await stopped.promise) - leftAt).toBeLessThan(100);
  });

  test("while its model loads ends that wait too", async () => {
    const leaves = new AbortController();
    const stopped = Promise.withResolvers<void>();
    const began = Promise.withResolvers<void>();
    const server = await run({
      generate: (request) => waitForEver(request.signal, began.resolve, stopped.resolve),
    });
    ask(server, chatPath, { body: { ...body, stream: true }, signal: leaves.signal }).catch(() => {});
    await began.promise;
    leaves.abort();
    await expect(stopped.promise).resolves.toBeUndefined();
  });
});

async function* waitForEver(signal: AbortSignal | undefined, onBegin: () => void, onAbort: () => void) {
  onBegin();
  await aborted(signal);
  onAbort();
  yield start;
}

test("a client that does not read is cut off, and its model is free again", async () => {
  const ended = Promise.withResolvers<AccessRecord>();
  let closed = false;
  const hearth = createFakeHearth({
    async *generate() {
      try {
        yield start;
        for (;;) yield text("x".repeat(64 * 1024));
      } finally {
        closed = true;
      }
    },
  });
  const app = createApp({ hearth, dialects: [openai], stallMs: 50, onAccess: ended.resolve });
  const listener = await listen({ app, host: "127.0.0.1", port: 0 });
  const socket = connect(listener.address.port, "127.0.0.1");
  const gone = once(socket, "close");
  socket.on("error", () => {});
  const json = JSON.stringify({ ...body, stream: true });
  const head = `POST ${chatPath} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`;
  socket.write(`${head}Content-Length: ${json.length}\r\n\r\n${json}`);
  expect(await ended.promise).toMatchObject({ status: 200, end: "stalled" });
  expect(app.state.running).toBe(0);
  // Reading on shows that the connection is closed, and lets the socket see it.
  socket.resume();
  await gone;
  expect(closed).toBe(true);
  await listener.close();
});

describe("shutting down", () => {
  test("lets running streams finish, refuses new requests, then closes", async () => {
    const gate = Promise.withResolvers<void>();
    const server = await run({
      async *generate() {
        yield* eventsOf([start, text("Hel")]);
        await gate.promise;
        yield* eventsOf([text("lo"), finish()]);
      },
    });
    const response = await ask(server, chatPath, { body: { ...body, stream: true } });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let answer = (await reader?.read())?.value ?? "";
    const done = server.shutdown();

    const refused = await ask(server, chatPath, { body });
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("5");
    expect(refused.headers.get("connection")).toBe("close");
    const health = await ask(server, "/health");
    expect(health.status).toBe(503);
    expect(await health.json()).toMatchObject({ status: "draining" });

    gate.resolve();
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) answer += part.value;
    expect(answer).toContain('"content":"lo"');
    expect(answer.endsWith("data: [DONE]\n\n")).toBe(true);
    await done;
    await server.closed;
    await expect(fetch(`${server.url}/health`)).rejects.toThrow("fetch failed");
  });

  test("ends what still runs after the time for it with an error in the stream", async () => {
    const server = await run({ settings: { drain: 20 }, generate: (request) => sayAndWait(request, ["Hel"]) });
    const response = await ask(server, chatPath, { body: { ...body, stream: true } });
    const answer = response.text();
    await server.shutdown();
    expect(await answer).toMatch(/"code":"shutting_down"\}\}\n\n$/);
  });

  test("at once when it is asked twice, even if the engine does not listen", async () => {
    const server = await run({
      async *generate() {
        yield* eventsOf([start, text("Hel")]);
        await new Promise(() => {});
      },
    });
    const signals = new EventEmitter();
    shutdownOnSignals(server, signals);
    const response = await ask(server, chatPath, { body: { ...body, stream: true } });
    const answer = response.text();
    signals.emit("SIGTERM");
    signals.emit("SIGTERM");
    await server.closed;
    expect(await answer).toContain("shutting_down");
    expect(signals.listenerCount("SIGTERM")).toBe(0);
  });

  test("does not wait for connections that idle", async () => {
    const server = await run();
    const socket = connect(server.address.port, "127.0.0.1");
    await once(socket, "connect");
    const closed = once(socket, "close");
    socket.write("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(socket, "data");
    await server.shutdown();
    await expect(closed).resolves.toBeDefined();
  });
});

describe("on the wire", () => {
  async function raw(server: RunningServer, bytes: string): Promise<string> {
    const socket = connect(server.address.port, "127.0.0.1");
    socket.setEncoding("utf8");
    let answer = "";
    socket.on("data", (part: string) => (answer += part));
    socket.on("error", () => {});
    socket.write(bytes);
    await once(socket, "close");
    return answer;
  }

  test.each([
    [
      "two Host headers",
      "GET /v1/models HTTP/1.1\r\nHost: localhost\r\nHost: evil.com\r\nConnection: close\r\n\r\n",
      /^HTTP\/1\.1 40[03] /,
    ],
    ["no Host header", "GET /v1/models HTTP/1.1\r\nConnection: close\r\n\r\n", /^HTTP\/1\.1 400 /],
    [
      "a foreign host in the request line",
      "GET http://evil.com/v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
      /^HTTP\/1\.1 403 /,
    ],
    [
      "a foreign Host header behind a local request line",
      "GET http://localhost/v1/models HTTP/1.1\r\nHost: evil.com\r\nConnection: close\r\n\r\n",
      /^HTTP\/1\.1 403 /,
    ],
    [
      "headers of 20 KiB",
      `GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(20_000)}\r\n\r\n`,
      /^HTTP\/1\.1 431 /,
    ],
    ["something else than HTTP", "hello\r\n\r\n", /^HTTP\/1\.1 400 /],
  ])("%s is refused", async (_name, bytes, answer) => {
    expect(await raw(await run(), bytes)).toMatch(answer);
  });

  test("a body that declares more than the limit is refused before it is sent", async () => {
    const server = await run({ settings: { bodyLimit: 100 } });
    const head = `POST ${chatPath} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`;
    expect(await raw(server, `${head}Content-Length: 1000000\r\nConnection: close\r\n\r\n{`)).toMatch(
      /^HTTP\/1\.1 413 /,
    );
  });

  test("a body without a declared length is cut off at the limit", async () => {
    const server = await run({ settings: { bodyLimit: 100 } });
    const head = `POST ${chatPath} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n`;
    const chunk = `40\r\n${"x".repeat(64)}\r\n`;
    expect(await raw(server, `${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(4)}`)).toMatch(
      /^HTTP\/1\.1 413 /,
    );
  });
});
