/** Classifiers of sounds in the layout of transformers.js; CLAP compares them with words. */
import { HearthError } from "../../../error.ts";
import type { ReadSoundOptions } from "../../../formats/audio/read.ts";
import { readSound } from "../../../formats/audio/read.ts";
import type { AudioInput } from "../../../spec/media.ts";
import type { ClassifyRequest, ClassifyResult } from "../../../spec/perform.ts";
import { needLabels, refuseLabels } from "../../media/own-labels.ts";
import type { OnnxContext, OpenTasks } from "../context.ts";
import { openPipeline, toLabels } from "../pipeline.ts";

const defaultRate = 16_000;
/** Longer sounds are cut: these models hear some seconds. */
const mostSeconds = 600;

export const openSoundClassifier: OpenTasks = async (context) => {
  const zeroShot = context.info.architecture === "clap";
  const pipe = await openPipeline(context, zeroShot ? "zero-shot-audio-classification" : "audio-classification");
  const rate = rateOf(context);
  const run = async (request: ClassifyRequest, signal: AbortSignal | undefined): Promise<ClassifyResult> => {
    const { sounds, labels, topK = 5, hypothesis } = request;
    if (!sounds || sounds.length === 0) throw bad("sounds", "This model classifies sounds; the request has none.");
    if (zeroShot) needLabels(request, "sounds");
    else refuseLabels(request, "a model that compares sounds with words, such as CLAP");
    const found = [];
    for (const sound of sounds) {
      const samples = await readAll(sound, { sampleRate: rate, signal, ...context.sounds });
      const template = hypothesis === undefined ? {} : { hypothesis_template: hypothesis };
      const result = zeroShot ? await pipe(samples, labels, template) : await pipe(samples, { top_k: topK });
      found.push(toLabels(result).slice(0, topK));
    }
    return { labels: found };
  };
  return {
    tasks: { classify: async (request, { signal }) => await run(request, signal) },
    dispose: () => pipe.dispose(),
  };
};

function bad(field: string, message: string): HearthError {
  return new HearthError("bad_request", message, { details: { field } });
}

function rateOf(context: OnnxContext): number {
  const rate = context.config("preprocessor_config.json")?.["sampling_rate"];
  return typeof rate === "number" && Number.isInteger(rate) && rate > 0 ? rate : defaultRate;
}

async function readAll(sound: AudioInput, options: ReadSoundOptions): Promise<Float32Array> {
  const parts: Float32Array[] = [];
  let count = 0;
  for await (const part of readSound(sound, options)) {
    parts.push(part);
    count += part.length;
    if (count > mostSeconds * options.sampleRate)
      throw bad("sounds", `The sound is longer than ${mostSeconds} seconds.`);
  }
  const samples = new Float32Array(count);
  let at = 0;
  for (const part of parts) {
    samples.set(part, at);
    at += part.length;
  }
  return samples;
}
