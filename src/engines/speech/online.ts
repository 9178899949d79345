import { readSound } from "../../formats/audio/read.ts";
import type { TranscriptSegment } from "../../spec/perform.ts";
import { onlineConfig, recognizerRate } from "./config.ts";
import type { SpeechContext, SpeechTasks } from "./context.ts";
import { createTranscript } from "./offline.ts";
import { checkWishes } from "./options.ts";
import type { OnlineRecognizer, OnlineStream, RecognizerResult } from "./sherpa.ts";
import { toSegment } from "./words.ts";

/** Silence that the last words need behind them. */
const tail = new Float32Array(recognizerRate * 0.8);

/** Models that take sound as it comes and say themselves where an utterance ends. */
export function openOnline(context: SpeechContext): SpeechTasks {
  const { sherpa, folder, threads, turns, openDecoder } = context;
  const recognizer = new sherpa.OnlineRecognizer(onlineConfig(folder, threads));
  return {
    async transcribe(request, { signal, onPart }) {
      checkWishes(folder, request);
      const transcript = createTranscript(onPart);
      const run = createRun({ recognizer, wantsWords: request.words === true }, (result, segment) =>
        transcript.add(result, segment),
      );
      for await (const samples of readSound(request.audio, { sampleRate: recognizerRate, openDecoder, signal })) {
        await turns(() => run.push(samples), signal);
      }
      const seconds = run.seconds();
      await turns(() => run.finish(), signal);
      return transcript.finish(seconds);
    },
  };
}

interface Run {
  push(samples: Float32Array): void;
  seconds(): number;
  finish(): void;
}

interface RunOptions {
  readonly recognizer: OnlineRecognizer;
  readonly wantsWords: boolean;
}

type OnUtterance = (result: RecognizerResult, segment: TranscriptSegment | undefined) => void;

/** One sound on its way through the recognizer. */
function createRun({ recognizer, wantsWords }: RunOptions, onUtterance: OnUtterance): Run {
  const stream: OnlineStream = recognizer.createStream();
  let count = 0;
  /** Where the utterance begins that is being heard. */
  let begin = 0;
  const endUtterance = (): void => {
    const result = recognizer.getResult(stream);
    const end = count / recognizerRate;
    const first = result.timestamps?.[0];
    const start = first === undefined ? begin : Math.min(end, begin + first);
    onUtterance(result, toSegment(result, { start, end, offset: begin, wantsWords }));
    begin = end;
  };
  const decode = (): void => {
    while (recognizer.isReady(stream)) recognizer.decode(stream);
    if (!recognizer.isEndpoint(stream)) return;
    endUtterance();
    recognizer.reset(stream);
  };
  return {
    push(samples) {
      stream.acceptWaveform({ samples, sampleRate: recognizerRate });
      count += samples.length;
      decode();
    },
    seconds: () => count / recognizerRate,
    finish() {
      stream.acceptWaveform({ samples: tail, sampleRate: recognizerRate });
      stream.inputFinished();
      while (recognizer.isReady(stream)) recognizer.decode(stream);
      endUtterance();
    },
  };
}
