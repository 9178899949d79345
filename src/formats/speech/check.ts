/** What native code takes for granted about the files of a model of speech. */
import { statSync } from "node:fs";
import { HearthError } from "../../error.ts";
import type { OnnxModel } from "../onnx/types.ts";
import type { SpeechPaths } from "./files.ts";
import type { SpeechKind } from "./kind.ts";
import type { SpeechParts } from "./layout.ts";
import { readVocabulary } from "./vocabulary.ts";
import { checkTokens } from "./tokens.ts";

interface Subject {
  readonly kind: SpeechKind;
  readonly main: OnnxModel;
  readonly parts: SpeechParts;
  readonly files: SpeechPaths;
}

export interface SpeechDetails {
  readonly voices: readonly string[];
  readonly tokenCount: number;
  /** Tokens by their numbers, where there is no file of them that the native library reads. */
  readonly vocabulary: readonly string[];
}

/** Metadata without which the native library ends its process. */
const needed: Readonly<Partial<Record<SpeechKind, readonly string[]>>> = {
  whisper: ["n_text_layer", "n_text_ctx", "n_text_state", "n_mels", "n_vocab", "sot", "eot", "sot_sequence"],
  canary: ["vocab_size", "subsampling_factor"],
  "sense-voice": ["vocab_size", "lfr_window_size", "lfr_window_shift", "neg_mean", "inv_stddev"],
  paraformer: ["vocab_size", "lfr_window_size", "lfr_window_shift", "neg_mean", "inv_stddev"],
  "nemo-ctc": ["vocab_size", "subsampling_factor"],
  kokoro: ["sample_rate", "n_speakers", "style_dim"],
  kitten: ["sample_rate", "n_speakers", "style_dim"],
  vits: ["sample_rate", "n_speakers"],
  matcha: ["sample_rate", "n_speakers"],
};
const speaking: ReadonlySet<SpeechKind> = new Set(["kokoro", "kitten", "vits", "matcha"]);
const dataFiles = ["phontab", "phonindex", "phondata", "intonations"];
const mostVoices = 10_000;

/** Throws `model_malformed` with details {field}. */
export function checkDetails(subject: Subject): SpeechDetails {
  const { kind, main, parts, files } = subject;
  for (const name of needed[kind] ?? []) if (!main.metadata.has(name)) throw wrong(name, "is missing in its metadata");
  const { tokens } = parts;
  const speaks = speaking.has(kind);
  const vocabulary =
    parts.vocabulary === undefined ? [] : readVocabulary(files.get(parts.vocabulary) ?? "", parts.vocabulary);
  const tokenCount = tokens === undefined ? vocabulary.length : checkTokens(files.get(tokens) ?? "", tokens, !speaks);
  checkVocabulary(subject, tokenCount);
  if (parts.data !== undefined) checkData(parts.data, files);
  if (!speaks) return { voices: [], tokenCount, vocabulary };
  checkParts(kind, parts);
  const count = numberOf(main, "n_speakers", [1, mostVoices]);
  numberOf(main, "sample_rate", [8000, 96_000]);
  if (parts.voices !== undefined) checkStyles(subject, count);
  return { voices: voiceNames(main, count), tokenCount, vocabulary };
}

/** A model could give any number below that. */
function checkVocabulary({ kind, main }: Subject, tokenCount: number): void {
  const text = main.metadata.get("vocab_size");
  if (text === undefined || speaking.has(kind)) return;
  const size = numberOf(main, "vocab_size", [1, 2 ** 20]);
  if (size > tokenCount) throw wrong("tokens.txt", `has ${tokenCount} tokens; the model knows ${size}`);
}

function checkParts(kind: SpeechKind, { data, lexicon, vocoder }: SpeechParts): void {
  if (kind === "matcha" && vocoder === undefined) {
    throw wrong("vocoder", "is missing beside the model (vocos-….onnx or hifigan_….onnx)");
  }
  if (data === undefined && lexicon === undefined) {
    throw wrong("espeak-ng-data", "is missing beside the model: without it no text becomes sounds");
  }
}

/** Rows of floats, one table for each voice. */
function checkStyles({ main, parts, files }: Subject, count: number): void {
  const text = main.metadata.get("style_dim") ?? "";
  const sizes = text.split(",").map(Number);
  const floats = sizes.reduce((product, size) => product * size, 1);
  if (!sizes.every((size) => Number.isInteger(size) && size > 0) || !Number.isSafeInteger(floats)) {
    throw wrong("style_dim", `is ${JSON.stringify(text.slice(0, 40))}; it must be sizes such as 510,1,256`);
  }
  const { size } = statSync(files.get(parts.voices ?? "") ?? "");
  const expected = 4 * floats * count;
  if (size !== expected) throw wrong("voices.bin", `has ${size} bytes; ${count} voices of ${text} take ${expected}`);
}

function checkData(folder: string, files: SpeechPaths): void {
  for (const name of dataFiles) {
    const path = files.get(`${folder}/${name}`);
    if (path === undefined || statSync(path).size === 0) throw wrong(`${folder}/${name}`, "is missing or empty");
  }
}

function voiceNames({ metadata }: OnnxModel, count: number): readonly string[] {
  const names = (metadata.get("speaker_names") ?? metadata.get("voice_names") ?? "")
    .split(",")
    .map((name) => name.trim());
  if (names.length === count && names.every((name) => /^[\w.-]{1,64}$/.test(name))) return names;
  return Array.from({ length: count }, (_, index) => String(index));
}

function numberOf({ metadata }: OnnxModel, name: string, [least, most]: readonly [number, number]): number {
  const value = Number(metadata.get(name) ?? Number.NaN);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw wrong(name, `is ${JSON.stringify((metadata.get(name) ?? "").slice(0, 40))}; it must be ${least} to ${most}`);
}

function wrong(field: string, problem: string): HearthError {
  return new HearthError("model_malformed", `${field} ${problem}.`, { details: { field } });
}
