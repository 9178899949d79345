import type { SpeechFolder } from "../../formats/speech/read.ts";
import type { TranscribeRequest, TranscribeResult, TranscriptSegment } from "../../spec/perform.ts";
import { offlineConfig, recognizerRate } from "./config.ts";
import type { SpeechContext, SpeechTasks } from "./context.ts";
import { checkWishes } from "./options.ts";
import type { RecognizerResult } from "./sherpa.ts";
import { findSpans } from "./spans.ts";
import { withTokens } from "./token-file.ts";
import { round, toSegment } from "./words.ts";

type Recognize = (samples: Float32Array, request: TranscribeRequest, signal?: AbortSignal) => Promise<RecognizerResult>;

/** Models that want a whole utterance: the sound is cut where nobody speaks. */
export function openOffline(context: SpeechContext): SpeechTasks {
  const recognize = openRecognizer(context);
  return {
    async transcribe(request, { signal, onPart }) {
      checkWishes(context.folder, request);
      const transcript = createTranscript(onPart);
      const spans = findSpans(context, request.audio, { signal });
      for (;;) {
        const next = await spans.next();
        if (next.done === true) return transcript.finish(next.value);
        const { start, end, samples } = next.value;
        const result = await recognize(samples, request, signal);
        transcript.add(result, toSegment(result, { start, end, offset: start, wantsWords: request.words === true }));
      }
    },
  };
}

function openRecognizer({ sherpa, folder, threads, turns }: SpeechContext): Recognize {
  const recognizer = withTokens(folder, (whole) => new sherpa.OfflineRecognizer(offlineConfig(whole, threads)));
  let wish = wishOf(folder, {});
  return async (samples, request, signal) =>
    await turns(async () => {
      const wanted = wishOf(folder, request);
      if (wanted !== wish) recognizer.setConfig(offlineConfig(folder, threads, request));
      wish = wanted;
      const stream = recognizer.createStream();
      stream.acceptWaveform({ samples, sampleRate: recognizerRate });
      return await recognizer.decodeAsync(stream);
    }, signal);
}

/** What the settings of the recognizer depend on. */
function wishOf({ kind }: SpeechFolder, { language, translate }: Partial<TranscribeRequest>): string {
  return `${kind} ${language ?? ""} ${translate === true ? "translate" : ""}`;
}

interface Transcript {
  add(result: RecognizerResult, segment: TranscriptSegment | undefined): void;
  finish(seconds: number): TranscribeResult;
}

export function createTranscript(onPart: ((part: TranscriptSegment) => void) | undefined): Transcript {
  const segments: TranscriptSegment[] = [];
  let language: string | undefined;
  return {
    add({ lang }, segment) {
      if (!segment) return;
      language ??= /[a-z]{2,3}/.exec(lang ?? "")?.[0];
      segments.push(segment);
      onPart?.(segment);
    },
    finish: (seconds) => ({
      text: segments.map(({ text }) => text).join(" "),
      ...(language !== undefined && { language }),
      seconds: round(seconds),
      segments,
    }),
  };
}
