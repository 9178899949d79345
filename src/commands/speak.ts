import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseText } from "../config/values.ts";
import { HearthError } from "../error.ts";
import type { SpeakResult } from "../spec/perform.ts";
import { readAll } from "../terminal/io.ts";
import { ensureModel } from "./chat/model.ts";
import { defineCommand, parseNumber, type Command, type Context } from "./command.ts";
import { createWavFile } from "./speech/wav-file.ts";
import { taskSettings } from "./tasks/ready.ts";

export const speak: Command = defineCommand({
  name: "speak",
  text: "Says a text, or writes it to a WAV file. A model that is missing is fetched first.",
  arguments: [{ name: "TEXT", text: "what to say; `-`, or none at all, reads it from a pipe", rest: true }],
  flags: {
    model: { kind: "value", value: "MODEL", text: "a model that speaks; default: kokoro", parse: parseText },
    out: {
      kind: "value",
      value: "FILE.wav",
      text: "write to this file; at a terminal it is played too",
      parse: parseText,
    },
    voice: { kind: "value", value: "NAME", text: "`hearth show MODEL` lists the voices", parse: parseText },
    speed: { kind: "value", value: "N", text: "0.25 to 4; 1 is as the model speaks", parse: parseNumber },
    silent: { kind: "switch", text: "only write the file" },
  },
  settings: taskSettings,
  examples: ['hearth speak "Good morning."', "hearth speak --out news.wav --voice af_bella - < news.txt"],
  async run(context) {
    const { args, flags, io, json, signal, services, writeJson } = context;
    const words = args.join(" ");
    const text = words === "" || words === "-" ? await readAll(io.stdin, signal) : words;
    const { out } = flags;
    if (out === undefined && flags.silent)
      throw new HearthError("usage", "--silent needs --out: nobody would hear it.");
    const folder = out === undefined ? await mkdtemp(join(tmpdir(), "hearth-speak-")) : undefined;
    try {
      const path = out ?? join(folder ?? "", "speech.wav");
      const { seconds, voices } = await write(context, text, path);
      const plays = out === undefined || (io.stdout.isTTY === true && !flags.silent);
      const played = plays && (await services.play(path, signal));
      if (out === undefined && !played) {
        throw new HearthError("usage", "No program was found that plays sound.", {
          hint: "Write it to a file: --out speech.wav.",
        });
      }
      if (json) writeJson({ ...(out !== undefined && { path: out }), seconds, voices, played });
      else if (out !== undefined) io.stdout.write(`${out}: ${seconds.toFixed(1)} s.\n`);
    } finally {
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    }
  },
});

type SpeakContext = Pick<Context, "hearth" | "settings" | "signal" | "status"> & {
  readonly flags: {
    readonly model: string | undefined;
    readonly voice: string | undefined;
    readonly speed: number | undefined;
  };
};

async function write(context: SpeakContext, text: string, path: string): Promise<SpeakResult> {
  const { flags, signal } = context;
  const { voice, speed } = flags;
  const { name } = await ensureModel(context, flags.model ?? "kokoro");
  const hearth = await context.hearth();
  const file = await createWavFile(path);
  try {
    const input = { text, ...(voice !== undefined && { voice }), ...(speed !== undefined && { speed }) };
    const { output } = await hearth.perform({
      task: "speak",
      model: name,
      input,
      signal,
      onPart: (part) => file.add(part),
    });
    await file.finish();
    return output;
  } catch (error) {
    await file.discard();
    throw error;
  }
}
