/** What a file of sound is, by its first bytes, never by its name. */

export const soundFormats = ["wav", "mp3", "flac", "opus", "vorbis"] as const;
/** What there is a reader or a decoder for. */
export type SoundFormat = (typeof soundFormats)[number];

/** Things that people send as sound. */
export type SoundGuess =
  | { readonly format: SoundFormat }
  /** Known, but not read; `what` stands in a sentence. */
  | { readonly what: string }
  | undefined;

/** Bytes that `detectSound` wants to see. */
export const headBytes = 4096;

export function detectSound(head: Uint8Array): SoundGuess {
  const text = latin(head.subarray(0, 64));
  if (/^(RIFF|RF64|RIFX)/.test(text) && text.slice(8, 12) === "WAVE") return { format: "wav" };
  if (text.startsWith("fLaC")) return { format: "flac" };
  if (text.startsWith("OggS")) return detectOgg(latin(head.subarray(0, 512)));
  // A tag of ID3 comes before MP3, and now and then before FLAC.
  if (text.startsWith("ID3")) return { format: afterTag(head) };
  if (isMpegFrame(head)) return { format: "mp3" };
  return detectOther(text);
}

function detectOgg(text: string): SoundGuess {
  if (text.includes("OpusHead")) return { format: "opus" };
  if (text.includes("\u0001vorbis")) return { format: "vorbis" };
  return { what: "an Ogg file that holds neither Opus nor Vorbis" };
}

const others: readonly (readonly [RegExp, string])[] = [
  [/^.{4}ftyp/s, "an MP4 or M4A file"],
  [/^.E\u00df\u00a3/s, "a WebM or Matroska file"],
  [/^FORM.{4}AIF[FC]/s, "an AIFF file"],
  [/^caff/, "a CAF file"],
  [/^#!AMR/, "an AMR file"],
  [/^\.snd/, "an AU file"],
  [/^0&\u00b2u/, "a WMA file"],
  [/^(RIFF|RIFX)/, "a RIFF file, but no WAV file"],
  [/^\s*[{[<]/, "text"],
];

function detectOther(text: string): SoundGuess {
  const found = others.find(([pattern]) => pattern.test(text));
  return found && { what: found[1] };
}

/** The header of an MPEG audio frame of layer II or III, with fields that can be. */
function isMpegFrame([first = 0, second = 0, third = 0]: Uint8Array): boolean {
  const version = (second >> 3) & 3;
  const layer = (second >> 1) & 3;
  const isSync = first === 0xff && (second & 0xe0) === 0xe0;
  return isSync && version !== 1 && (layer === 1 || layer === 2) && third >> 4 !== 15 && ((third >> 2) & 3) !== 3;
}

function afterTag(head: Uint8Array): SoundFormat {
  const [a = 0, b = 0, c = 0, d = 0] = head.subarray(6, 10);
  const end = 10 + ((a & 127) << 21) + ((b & 127) << 14) + ((c & 127) << 7) + (d & 127);
  return latin(head.subarray(end, end + 4)) === "fLaC" ? "flac" : "mp3";
}

function latin(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
