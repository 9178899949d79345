import { HearthError } from "../error.ts";
import { raceAbort } from "../util/abort.ts";
import { benchFlags, checkFlags } from "./bench/flags.ts";
import { benchServe } from "./bench/serve.ts";
import { benchTask, peerOfText } from "./bench/task.ts";
import { ensureModel } from "./chat/model.ts";
import { defineCommand, loadSettingNames, pullSettingNames, type Command } from "./command.ts";

export const bench: Command = defineCommand({
  name: "bench",
  text: "Measures load, first token, prefill, decode and many clients at once, of a model that generates no text how long its task takes; after the word serve, a real server with many clients. With --vs, peers in turn.",
  arguments: [
    { name: "MODEL|serve", text: "a model; it is fetched when it is missing. Or the word serve", required: true },
    { name: "MODEL", text: "after serve: the model" },
  ],
  flags: benchFlags,
  // What is measured is the model alone, whose guesses are of its own text.
  settings: [...loadSettingNames.filter((name) => name !== "draft"), ...pullSettingNames],
  // The contestants wait for each other.
  fixed: { draft: undefined, sleepAfter: Infinity },
  examples: [
    "hearth bench tinyllama",
    "hearth bench tinyllama --vs llama.cpp --clients 1,8 --json",
    "hearth bench tinyllama --profile",
    "hearth bench all-minilm:l6-v2-f32 --vs raw",
    "hearth bench serve tinyllama --vs llama.cpp --only batch,prefix",
  ],
  async run(context) {
    const { args, flags, json, services, settings, signal, status } = context;
    const { kind, name } = readArguments(args);
    checkFlags(flags, kind);
    const model = await ensureModel(context, name);
    if (kind === "serve") {
      await benchServe(context, model);
      return;
    }
    const { capabilities } = await (await context.hearth()).library.inspect(model);
    if (!capabilities.includes("generate")) {
      await benchTask(context, model);
      return;
    }
    const vs = peerOfText(flags, model.name);
    const lengths = {
      ...(flags["prompt-tokens"] !== undefined && { promptTokens: flags["prompt-tokens"] }),
      ...(flags.tokens !== undefined && { decodeTokens: flags.tokens }),
    };
    if (flags.profile) {
      const hearth = await context.hearth();
      const profile = await raceAbort(services.runProfile({ hearth, model: model.name, signal, ...lengths }), signal);
      if (json) context.writeJson(profile);
      else context.io.stdout.write(`${await services.formatProfile(profile)}\n`);
      return;
    }
    const peerModule = vs === undefined ? undefined : await (await services.packs(settings)).peerModule();
    const running = services.runBench({
      hearth: await context.hearth(),
      model: model.name,
      signal,
      onProgress(line) {
        status.note(line);
      },
      ...(vs !== undefined && { vs }),
      ...(peerModule !== undefined && { peerModule }),
      ...(flags.clients && { clients: flags.clients }),
      ...(flags.runs !== undefined && { runs: flags.runs }),
      ...(flags.prompts !== undefined && { prompts: flags.prompts }),
      ...lengths,
    });
    const report = await raceAbort(running, signal);
    if (json) context.writeJson(report);
    else context.io.stdout.write(`${(await services.formatReport(report)).trimEnd()}\n`);
  },
});

function readArguments([first = "", second]: readonly string[]): { kind: "plain" | "serve"; name: string } {
  const hint = "Run `hearth bench --help` for examples.";
  if (first === "serve") {
    if (second !== undefined) return { kind: "serve", name: second };
    throw new HearthError("usage", "hearth bench serve needs MODEL: the model.", { hint });
  }
  if (second === undefined) return { kind: "plain", name: first };
  throw new HearthError("usage", `hearth bench does not know what to do with "${second}".`, { hint });
}
