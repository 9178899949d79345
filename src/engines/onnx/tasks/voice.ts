/** Silero VAD, generations 4 (states h and c) and 5 (one state, and the end of the frame before): where somebody speaks. */
import { HearthError } from "../../../error.ts";
import { readSound } from "../../../formats/audio/read.ts";
import type { Tensor } from "../../../formats/tensor.ts";
import type { OpenTasks } from "../context.ts";
import type { OnnxSession, Tensors } from "../session.ts";

const sampleRate = 16_000;
const frameSamples = 512;
const contextSamples = 64;

/** Speech begins above the threshold and ends this far below it. */
const slack = 0.15;
const leastSpeechSeconds = 0.25;
/** Shorter gaps do not part two spans. */
const leastSilenceSeconds = 0.1;
const padSeconds = 0.03;
const defaultThreshold = 0.5;

export const openVoice: OpenTasks = async (context) => {
  const session = await context.session();
  return {
    tasks: {
      async voice({ audio, threshold = defaultThreshold }, { signal }) {
        if (!(threshold > 0 && threshold < 1)) {
          const message = `\`threshold\` is ${threshold}; it is between 0 and 1.`;
          throw new HearthError("bad_request", message, { details: { field: "threshold" } });
        }
        const run = createFrames(session);
        const spans = createSpans(threshold);
        let samples = 0;
        for await (const frame of frames(readSound(audio, { sampleRate, signal, ...context.sounds }))) {
          signal?.throwIfAborted();
          samples += frame.count;
          spans.add(await run(frame.samples), samples / sampleRate);
        }
        const seconds = samples / sampleRate;
        return { spans: spans.end(seconds), seconds };
      },
    },
  };
};

interface Frame {
  readonly samples: Float32Array;
  /** Those of the sound; the last frame is filled up with silence. */
  readonly count: number;
}

async function* frames(pieces: AsyncIterable<Float32Array>): AsyncGenerator<Frame> {
  let frame = new Float32Array(frameSamples);
  let count = 0;
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + frameSamples - count);
      frame.set(part, count);
      at += part.length;
      count += part.length;
      if (count < frameSamples) continue;
      yield { samples: frame, count };
      frame = new Float32Array(frameSamples);
      count = 0;
    }
  }
  if (count > 0) yield { samples: frame, count };
}

/** Runs one frame after the other; the model remembers. Gives how likely it is that somebody speaks. */
function createFrames(session: OnnxSession): (frame: Float32Array) => Promise<number> {
  const names = session.inputs.map(({ name }) => name);
  const rate: Tensor = { type: "int64", shape: [], data: BigInt64Array.of(BigInt(sampleRate)) };
  const isFifth = names.includes("state");
  const zeros = (width: number): Tensor => ({
    type: "float32",
    shape: [2, 1, width],
    data: new Float32Array(2 * width),
  });
  let state: Record<string, Tensor> = isFifth ? { state: zeros(128) } : { h: zeros(64), c: zeros(64) };
  let before = new Float32Array(isFifth ? contextSamples : 0);
  return async (frame) => {
    const data = new Float32Array(before.length + frame.length);
    data.set(before);
    data.set(frame, before.length);
    before = frame.slice(frame.length - before.length);
    const feeds: Tensors = { input: { type: "float32", shape: [1, data.length], data }, sr: rate, ...state };
    const outputs = await session.run(feeds);
    const next = (name: string): Tensor => {
      const found = outputs[name];
      if (!found) throw new HearthError("model_unsupported", `The model has no output ${name}.`);
      return found;
    };
    state = isFifth ? { state: next("stateN") } : { h: next("hn"), c: next("cn") };
    return Number(next("output").data[0] ?? 0);
  };
}

interface Spans {
  /** A frame that ends at so many seconds. */
  add(probability: number, end: number): void;
  end(seconds: number): { readonly start: number; readonly end: number }[];
}

export function createSpans(threshold: number): Spans {
  const found: { start: number; end: number }[] = [];
  const frameSeconds = frameSamples / sampleRate;
  let start: number | undefined;
  let quietSince: number | undefined;
  const close = (end: number): void => {
    if (start !== undefined && end - start >= leastSpeechSeconds) found.push({ start, end });
    [start, quietSince] = [undefined, undefined];
  };
  return {
    add(probability, end) {
      if (probability >= threshold) {
        start ??= Math.max(0, end - frameSeconds);
        quietSince = undefined;
      } else if (start !== undefined && probability < threshold - slack) {
        quietSince ??= Math.max(0, end - frameSeconds);
        if (end - quietSince >= leastSilenceSeconds) close(quietSince);
      }
    },
    end(seconds) {
      close(quietSince ?? seconds);
      return found.map((span) => ({
        start: Math.max(0, span.start - padSeconds),
        end: Math.min(seconds, span.end + padSeconds),
      }));
    },
  };
}
