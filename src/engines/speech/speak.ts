import { HearthError } from "../../error.ts";
import { voiceConfig } from "./config.ts";
import type { SpeechContext, SpeechTasks } from "./context.ts";
import { splitSentences } from "./sentences.ts";
import { round } from "./words.ts";

/** Sound comes sentence by sentence: the first is there long before the last. */
export function openVoice(context: SpeechContext): SpeechTasks {
  const { sherpa, folder, threads, turns } = context;
  const tts = new sherpa.OfflineTts(voiceConfig(folder, threads));
  const { voices } = folder;
  return {
    async speak({ text, voice, speed = 1 }, { signal, onPart }) {
      if (!(speed >= 0.25 && speed <= 4)) {
        throw new HearthError("bad_request", `speed is ${speed}; it must be 0.25 to 4.`, {
          details: { field: "speed" },
        });
      }
      const sid = findVoice(voices, voice);
      const sentences = splitSentences(text);
      if (sentences.length === 0) {
        throw new HearthError("bad_request", "The text has nothing that can be spoken.", {
          details: { field: "input" },
        });
      }
      let count = 0;
      for (const sentence of sentences) {
        const request = { text: sentence, sid, speed, enableExternalBuffer: false } as const;
        const { samples } = await turns(async () => await tts.generateAsync(request), signal);
        signal?.throwIfAborted();
        count += samples.length;
        onPart?.({ samples, sampleRate: tts.sampleRate });
      }
      return { sampleRate: tts.sampleRate, seconds: round(count / tts.sampleRate), voices };
    },
  };
}

/** The number of a voice. `alloy` finds `af_alloy`; no voice, or `default`, is the first. */
function findVoice(voices: readonly string[], voice: string | undefined): number {
  if (voice === undefined || voice === "default") return 0;
  const exact = voices.indexOf(voice);
  const found = exact >= 0 ? exact : voices.findIndex((name) => name.split("_").at(-1) === voice);
  if (found >= 0) return found;
  throw new HearthError("bad_request", `There is no voice ${JSON.stringify(voice.slice(0, 64))}.`, {
    hint: `The voices are ${voices.slice(0, 100).join(", ")}.`,
    details: { field: "voice" },
  });
}
