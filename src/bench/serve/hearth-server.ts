/** `hearth serve` as a process of its own, spoken to over HTTP: what a user of it gets. */
import { engineEnvironment } from "../../config/environment.ts";
import type { Contestant } from "../measure.ts";
import { surely, warmUp } from "../workload.ts";
import { startProgram, type Program } from "./program.ts";
import { streamTokens, type Piece } from "./stream.ts";

export interface HearthServerOptions {
  /** Sequences that run at once. */
  readonly slots: number;
  readonly speculation: "auto" | "off";
  /** Keys that share it. Absent: it asks for none. */
  readonly users?: number;
}

/** What all servers of one bench have in common. */
export interface HearthHouse {
  /** The program and its first arguments, up to before `serve`. */
  readonly program: readonly string[];
  /** Flags of `hearth serve`, the sequences aside. */
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** By which its API knows the model. */
  readonly model: string;
  /** The model has a chat template. */
  readonly chats: boolean;
  readonly signal: AbortSignal | undefined;
  /** A new data folder, with a file of keys where there are some. */
  makeFolder(keys: readonly string[]): Promise<{ readonly data: string; readonly keyFile: string }>;
}

export interface TextRequest {
  readonly text: string;
  readonly tokens: number;
  readonly temperature: number;
  readonly seed?: number;
  readonly ignoreEos: boolean;
}

export interface HearthServer extends Contestant {
  readonly pid: number | undefined;
  /** Answers a text, through the model's chat template where it has one. */
  tell(request: TextRequest, onToken: (text: string) => void): Promise<void>;
}

export function createHearthServer(house: HearthHouse, options: HearthServerOptions): HearthServer {
  const keys = Array.from({ length: options.users ?? 0 }, (_, user) => `bench-key-${user}-${crypto.randomUUID()}`);
  const folder = later(() => house.makeFolder(keys));
  let program: Program | undefined;
  let url = "";
  const post = async (path: string, body: object, { user = 0, onToken }: Call): Promise<void> => {
    const key = keys[user];
    const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
    const more = { model: house.model, stream: true };
    await streamTokens(
      { url: url + path, body: { ...body, ...more }, headers, signal: house.signal },
      readPiece,
      onToken,
    );
  };
  const server: HearthServer = {
    name: "hearth",
    get pid() {
      return program?.pid;
    },
    async load() {
      const { data, keyFile } = await folder();
      house.signal?.throwIfAborted();
      program = startHearth(house, [
        `--data=${data}`,
        `--parallel=${options.slots}`,
        `--speculation=${options.speculation}`,
        ...(keys.length > 0 ? [`--api-key-file=${keyFile}`] : []),
      ]);
      ({ url } = JSON.parse(await program.firstLine) as { url: string });
      // The model is loaded by its first request.
      await program.whileRunning(server.generate(warmUp, () => undefined));
    },
    async generate({ prompt, tokens, answer, user }, onToken) {
      const bias = answer === undefined ? {} : { logit_bias: { [answer]: surely } };
      const body = { prompt, max_tokens: tokens, ignore_eos: true, temperature: 0, ...bias };
      await post("/v1/completions", body, { user, onToken: (text) => onToken(text === "") });
    },
    async tell({ text, tokens, temperature, seed, ignoreEos }, onToken) {
      const body = { max_tokens: tokens, temperature, ignore_eos: ignoreEos, ...(seed !== undefined && { seed }) };
      if (!house.chats) return await post("/v1/completions", { ...body, prompt: text }, { onToken });
      const messages = [{ role: "user", content: text }];
      await post("/v1/chat/completions", { ...body, messages }, { onToken });
    },
    residentBytes: () => undefined,
    async unload() {
      await program?.stop();
      program = undefined;
    },
  };
  return server;
}

interface Call {
  readonly user?: number | undefined;
  readonly onToken: (text: string) => void;
}

function startHearth({ program: [command = "", ...first], flags, env }: HearthHouse, more: readonly string[]): Program {
  const args = [...first, "serve", "--json", "--host=127.0.0.1", "--port=0", ...flags, ...more];
  return startProgram({ name: "hearth serve", command, args, env: { ...engineEnvironment(), ...env } });
}

interface Chunk {
  readonly choices?: readonly {
    readonly text?: string;
    readonly delta?: { readonly content?: string; readonly reasoning_content?: string };
  }[];
  readonly timings?: { readonly predicted_n: number };
}

function readPiece({ choices = [], timings }: Chunk): Piece {
  const [choice] = choices;
  const text = choice?.text ?? choice?.delta?.content ?? choice?.delta?.reasoning_content ?? "";
  return { text, allTokens: timings?.predicted_n };
}

/** Does it once, when it is first asked for. */
function later<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return async () => await (made ??= make());
}
