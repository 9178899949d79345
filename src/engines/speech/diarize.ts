import { HearthError } from "../../error.ts";
import { readSound } from "../../formats/audio/read.ts";
import { diarizeConfig } from "./config.ts";
import type { SpeechContext, SpeechTasks } from "./context.ts";
import { round } from "./words.ts";

/** The native library wants the whole sound at once, as floats: 230 MB an hour. */
const mostHours = 4;

/** Who speaks when: pieces of one voice, told apart by how the voices sound. */
export function openDiarization({ sherpa, folder, threads, turns, openDecoder }: SpeechContext): SpeechTasks {
  const diarization = new sherpa.OfflineSpeakerDiarization(diarizeConfig(folder, threads));
  const { sampleRate } = diarization;
  return {
    async diarize({ audio, speakers }, { signal }) {
      const samples = await collect(
        readSound(audio, { sampleRate, openDecoder, signal }),
        mostHours * 3600 * sampleRate,
      );
      const turnsFound = await turns(() => {
        diarization.setConfig(diarizeConfig(folder, threads, speakers));
        return diarization.process(samples);
      }, signal);
      return {
        turns: turnsFound.map(({ speaker, start, end }) => ({ speaker, start: round(start), end: round(end) })),
        seconds: round(samples.length / sampleRate),
      };
    },
  };
}

async function collect(pieces: AsyncIterable<Float32Array>, most: number): Promise<Float32Array> {
  const held: Float32Array[] = [];
  let count = 0;
  for await (const piece of pieces) {
    held.push(piece);
    count += piece.length;
    if (count > most) {
      throw new HearthError(
        "bad_request",
        `The sound is longer than ${mostHours} hours, the most that is told apart.`,
        {
          details: { field: "file" },
        },
      );
    }
  }
  const all = new Float32Array(count);
  let offset = 0;
  for (const piece of held) {
    all.set(piece, offset);
    offset += piece.length;
  }
  return all;
}
