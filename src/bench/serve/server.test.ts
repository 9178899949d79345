/** What holds for every server of the bench: how it is spoken to, how it ends, what it takes. */
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Looker } from "../../hardware/read.ts";
import { createLlamaServer, hasLlamaServer, serverArguments } from "./llama-server.ts";
import { treeBytes, watchMemory } from "./memory.ts";
import { startProgram } from "./program.ts";
import { streamTokens } from "./stream.ts";

async function serveOnce(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const read = (message: object): { text: string; allTokens?: number } => ({ text: "", ...message });

test("each text is a token, and tokens without a text come when the answer ends", async () => {
  const url = await serveOnce((_, response) => {
    response.write('data: {"text":"a"}\n\ndata: {"text":""}\n\ndata: {"te');
    response.end('xt":"b"}\n\ndata: {"allTokens":4}\n\ndata: [DONE]\n\n');
  });
  const tokens: string[] = [];
  await streamTokens({ url, body: {} }, read, (text) => tokens.push(text));
  expect(tokens).toEqual(["a", "b", "", ""]);
});

test("what a server refuses, or breaks off, is an error in its own words", async () => {
  const body = JSON.stringify({ error: { message: "The queue is full.", code: "queue_full" } });
  const refusing = await serveOnce((_, response) => void response.writeHead(503).end(body));
  const breaking = await serveOnce((_, response) => void response.end(`data: {"text":"a"}\n\ndata: ${body}\n\n`));
  const silent = await serveOnce((_, response) => void response.writeHead(500).end("no"));
  const ask = async (url: string): Promise<void> => await streamTokens({ url, body: {} }, read, () => {});
  await expect(ask(refusing)).rejects.toMatchObject({ code: "queue_full", message: "The queue is full." });
  await expect(ask(breaking)).rejects.toMatchObject({ message: "The queue is full." });
  await expect(ask(silent)).rejects.toThrow("The server answered 500.");
});

const node = (script: string) =>
  startProgram({ name: "the server", command: process.execPath, args: ["-e", script], env: {} });

test("a program says its first line, runs, and ends when it is told to", async () => {
  const program = node('console.log("ready"); console.log("more"); setInterval(() => {}, 1000)');
  expect(await program.firstLine).toBe("ready");
  expect(await program.whileRunning(Promise.resolve(1))).toBe(1);
  await program.stop();
  expect(program.running).toBe(false);
  await program.stop();
});

test("nobody waits for a program that has ended, and its last words are in the message", async () => {
  const program = node('console.error("no such model"); process.exitCode = 3');
  await expect(program.firstLine).rejects.toThrow("the server ended with code 3. no such model");
  const missing = startProgram({ name: "it", command: "/no/such/program", args: [], env: {} });
  await expect(missing.firstLine).rejects.toThrow("it cannot be run");
  await missing.stop();
});

const files: Readonly<Record<string, string>> = {
  "/proc/10/status": "Name:\tnode\nPPid:\t1\nVmRSS:\t  100 kB\n",
  "/proc/11/status": "Name:\tnode\nPPid:\t12\nVmRSS:\t  20 kB\n",
  "/proc/12/status": "Name:\tnode\nPPid:\t10\nVmRSS:\t  3 kB\n",
  "/proc/13/status": "Name:\tother\nPPid:\t1\nVmRSS:\t  999 kB\n",
  "/proc/14/status": "Name:\tkthread\nPPid:\t10\n",
};
const linux: Looker = {
  read: (path) => files[path],
  entries: () => ["10", "11", "12", "13", "14", "self"],
  run: async () => undefined,
};

test("the memory of a server is that of its whole family", async () => {
  expect(await treeBytes(10, linux)).toBe(123 * 1024);
  const ps = " 10  1 100\n 11 12  20\n 12 10   3\n 13  1 999\n";
  expect(await treeBytes(10, { ...linux, entries: () => [], run: async () => ps })).toBe(123 * 1024);
  expect(await treeBytes(10, { ...linux, entries: () => [] })).toBeNaN();
  expect(await treeBytes(undefined, linux)).toBeNaN();
});

test("memory is looked at before, during and after the work", async () => {
  const { result, before, most, after } = await watchMemory({ pid: process.pid }, async () => 7);
  expect(result).toBe(7);
  expect(most).toBeGreaterThanOrEqual(Math.max(before, after));
  await expect(watchMemory({ pid: undefined }, () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
});

/** Answers as llama-server does: healthy from the second question on, and with all tokens but one counted at the end. */
const standIn = `#!${process.execPath}
const args = process.argv.slice(2).join(" ");
if (args === "--version") process.exit(0);
let asked = 0;
require("node:http").createServer(async (request, response) => {
  if (request.url === "/health") return response.writeHead(++asked > 1 ? 200 : 503).end();
  let text = "";
  for await (const piece of request) text += piece;
  const { prompt, n_predict } = JSON.parse(text);
  response.write("data: " + JSON.stringify({ content: prompt.join(), stop: false }) + "\\n\\n");
  response.end("data: " + JSON.stringify({ content: "", stop: true, tokens_predicted: n_predict }) + "\\n\\n");
}).listen(Number(/--port (\\d+)/.exec(args)[1]), "127.0.0.1");
`;

test.skipIf(process.platform === "win32")(
  "llama-server is started with as many slots, and answers token ids",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "hearth-llama-server-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const command = join(folder, "llama-server");
    await writeFile(command, standIn);
    await chmod(command, 0o755);
    expect(await hasLlamaServer(command)).toBe(true);
    expect(await hasLlamaServer(join(folder, "none"))).toBe(false);
    const sizes = { modelPath: "/m.gguf", threads: 2, contextTokens: 2048, slots: 8 };
    const server = createLlamaServer({ ...sizes, command, signal: undefined });
    await server.load();
    const late: (boolean | undefined)[] = [];
    await server.generate({ prompt: [5, 6], tokens: 3, answer: 9 }, (isLate) => late.push(isLate));
    expect(late).toEqual([false, true, true]);
    await server.unload();
    await server.unload();
  },
);

test("the arguments of llama-server are those of its manual", () => {
  const sizes = { command: "", modelPath: "/m.gguf", threads: 2, contextTokens: 2048, slots: 8, signal: undefined };
  expect(serverArguments(sizes, 4000).join(" ")).toBe(
    "-m /m.gguf --host 127.0.0.1 -t 2 -c 16384 -np 8 -ngl 0 --port 4000",
  );
});
