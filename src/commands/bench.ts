import { parseInteger, parseOneOf } from "../config/values.ts";
import { HearthError } from "../error.ts";
import { raceAbort } from "../util/abort.ts";
import { ensureModel } from "./chat/model.ts";
import { defineCommand, loadSettingNames, pullSettingNames, type Command, type ValueRow } from "./command.ts";

const count = (text: string): ValueRow<number> => ({ kind: "value", value: "N", text, parse: parsePositive });

const peer: ValueRow<"llama.cpp"> = {
  kind: "value",
  value: "llama.cpp",
  text: "measure raw node-llama-cpp too, and print ratios; above 1 means that hearth is better",
  parse: parseOneOf(["llama.cpp"]),
};

export const bench: Command = defineCommand({
  name: "bench",
  text: "Measures load, first token, prefill, decode and many clients at once; with --vs, a peer in turn.",
  arguments: [{ name: "MODEL", text: "a model; it is fetched when it is missing", required: true }],
  flags: {
    vs: peer,
    clients: { kind: "value", value: "N,N", text: "numbers of clients at once; default 1,4,8,16", parse: parseCounts },
    runs: count("rounds; the report has their medians; default 3"),
    "prompt-tokens": count("length of the prompts; default 512"),
    tokens: count("length of the answers; default 128"),
    prompts: count("prompts a round for prefill and decode; default 3"),
    profile: { kind: "switch", text: "say instead where each millisecond of a step goes" },
  },
  settings: [...loadSettingNames, ...pullSettingNames],
  examples: [
    "hearth bench tinyllama",
    "hearth bench tinyllama --vs llama.cpp --clients 1,8 --json",
    "hearth bench tinyllama --profile",
  ],
  async run(context) {
    const { args, flags, json, services, settings, signal, status } = context;
    const model = await ensureModel(context, args[0] ?? "");
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
    const peerModule = flags.vs === undefined ? undefined : await (await services.packs(settings)).peerModule();
    const running = services.runBench({
      hearth: await context.hearth(),
      model: model.name,
      signal,
      onProgress(line) {
        status.note(line);
      },
      ...(flags.vs !== undefined && { vs: flags.vs }),
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

function parsePositive(text: string, name: string): number {
  const value = parseInteger(text, name);
  if (value > 0) return value;
  throw new HearthError("usage", `${name} is "${text}"; it must be 1 or more.`);
}

function parseCounts(text: string, name: string): number[] {
  return text.split(",").map((part) => parsePositive(part.trim(), name));
}
