/** Upstream's own server, as its manual says to start it. */
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { engineEnvironment } from "../../config/environment.ts";
import { machine, type Looker } from "../../hardware/read.ts";
import { sleep } from "../../util/abort.ts";
import type { Contestant } from "../measure.ts";
import { patient } from "../peer.ts";
import { surely, warmUp } from "../workload.ts";
import { startProgram, type Program } from "./program.ts";
import { streamTokens, type Piece } from "./stream.ts";

export interface LlamaServerOptions {
  readonly command: string;
  readonly modelPath: string;
  readonly threads: number;
  /** Of one sequence. */
  readonly contextTokens: number;
  readonly slots: number;
  readonly signal: AbortSignal | undefined;
}

/** Whether the program can be run; `llama-server` alone is looked for on the PATH. */
export async function hasLlamaServer(command: string, look: Looker = machine): Promise<boolean> {
  return (await look.run(command, ["--version"])) !== undefined;
}

const pollMs = 100;

export function createLlamaServer(options: LlamaServerOptions): Contestant {
  const { command, signal } = options;
  let program: Program | undefined;
  let url = "";
  const server: Contestant = {
    name: "llama-server",
    async load() {
      const port = await freePort();
      signal?.throwIfAborted();
      url = `http://127.0.0.1:${port}`;
      program = startProgram({
        name: "llama-server",
        command,
        args: serverArguments(options, port),
        env: { ...patient, ...engineEnvironment() },
      });
      await program.whileRunning(untilHealthy(url, { program, signal }));
      await program.whileRunning(server.generate(warmUp, () => undefined));
    },
    async generate({ prompt, tokens, answer }, onToken) {
      const bias = answer === undefined ? {} : { logit_bias: [[answer, surely]] };
      const body = { prompt, n_predict: tokens, ignore_eos: true, temperature: 0, stream: true, ...bias };
      await streamTokens({ url: `${url}/completion`, body, signal }, readPiece, (text) => onToken(text === ""));
    },
    residentBytes: () => undefined,
    async unload() {
      await program?.stop();
      program = undefined;
    },
  };
  return server;
}

/** Continuous batching and reuse of the last prompt of each slot are on by default. */
export function serverArguments(
  { modelPath, threads, contextTokens, slots }: LlamaServerOptions,
  port: number,
): string[] {
  const figures = { "-t": threads, "-c": contextTokens * slots, "-np": slots, "-ngl": 0, "--port": port };
  const words = Object.entries(figures).flatMap(([flag, value]) => [flag, String(value)]);
  return ["-m", modelPath, "--host", "127.0.0.1", ...words];
}

interface Waiting {
  readonly program: Program;
  readonly signal: AbortSignal | undefined;
}

async function untilHealthy(url: string, { program, signal }: Waiting): Promise<void> {
  while (program.running) {
    const answer = await fetch(`${url}/health`, { ...(signal && { signal }) }).catch(() => undefined);
    if (answer?.ok) return;
    await sleep(pollMs, signal);
  }
}

interface Chunk {
  readonly content?: string;
  readonly stop?: boolean;
  readonly tokens_predicted?: number;
}

function readPiece({ content = "", stop = false, tokens_predicted: allTokens }: Chunk): Piece {
  return { text: content, ...(stop && { allTokens }) };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  return port;
}
