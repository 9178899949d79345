/** How likely a text is, through the server, by both engines. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { measurePerplexity, perplexityText, splitWindows } from "../src/engines/flint/__fixtures__/perplexity.ts";
import { createLocalFlint } from "../src/engines/flint/local.ts";
import { openai } from "../src/dialects/openai/routes.ts";
import { inspectGguf } from "../src/models/inspect.ts";
import type { App } from "../src/server/app.ts";
import { createApp } from "../src/server/app.ts";
import type { LoadedModel } from "../src/spec/engine.ts";
import type { Hearth } from "../src/tasks/contract.ts";
import { createHearth } from "../src/tasks/hearth.ts";
import { requestApp } from "./http.ts";
import { makeTinyLlama } from "./make-model.ts";

const size = 64;
const load = { contextTokens: size, parallel: 4, threads: 1 } as const;

let folder: string;
let path: string;
let hearth: Hearth;
let app: App;
let local: LoadedModel;
let windows: readonly (readonly number[])[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hearth-logprobs-"));
  path = await makeTinyLlama(join(folder, "tiny.gguf"), { seed: 1, context: 512 });
  hearth = createHearth({ settings: { data: folder, offline: true, device: "cpu" }, onNotice: () => {} });
  app = serve(hearth);
  local = await createLocalFlint().load({ name: "tiny", path, info: await inspectGguf(path) }, load);
  const tokens = await local.tokenize([{ text: perplexityText().slice(0, 2000), special: false }]);
  windows = splitWindows(tokens.slice(1), { size, beginning: tokens[0] }).slice(0, 6);
});

afterAll(async () => {
  await local.dispose();
  await hearth.dispose();
  await rm(folder, { recursive: true, force: true });
});

interface Scored {
  readonly choices: readonly { readonly logprobs: { readonly token_logprobs: readonly (number | null)[] } }[];
}

/** The server has names for models; here each engine's name stands for the one file. */
function serve(hearth: Hearth): App {
  const complete: Hearth["complete"] = (request) => {
    const engine = request.model === "llama" ? "llama" : "flint";
    return hearth.complete({ ...request, model: path, load: { ...load, engine } });
  };
  return createApp({ hearth: { ...hearth, complete }, dialects: [openai] });
}

async function scoreByServer(model: string, window: readonly number[], first: number): Promise<readonly number[]> {
  const body = { model, prompt: window, echo: true, logprobs: 0, max_tokens: 0 };
  const response = await requestApp(app, "/v1/completions", { body });
  const { choices } = (await response.json()) as Scored;
  return (choices[0]?.logprobs.token_logprobs ?? []).slice(first + 1).map((logprob) => logprob ?? Number.NaN);
}

async function scoreByEngine(prompt: readonly number[], first: number): Promise<readonly number[]> {
  const scored = await local.score?.({ prompt, topLogprobs: 0, from: first + 1 });
  return scored?.entries.map(({ logprob }) => logprob) ?? [];
}

describe("the perplexity of a text through the server", () => {
  test("is that of the engine, to the last bit", async () => {
    const server = await measurePerplexity(windows, (window, first) => scoreByServer("flint", window, first));
    expect(server).toEqual(await measurePerplexity(windows, scoreByEngine));
    expect(server).toMatchObject({ windows: 6, tokens: 6 * (size / 2 - 1) });
  });

  test("is the same by llama.cpp, as near as two engines are", async () => {
    const llama = await measurePerplexity(windows, (window, first) => scoreByServer("llama", window, first));
    const flint = await measurePerplexity(windows, scoreByEngine);
    expect(Math.abs(llama.perplexity / flint.perplexity - 1)).toBeLessThan(0.005);
  });
});
