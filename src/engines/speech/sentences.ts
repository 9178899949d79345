/** Longer pieces keep the listener waiting, and models of speech get out of breath. */
const mostCharacters = 280;

/** A text in pieces that are spoken one after another: sentences, and long ones cut where a voice would pause. */
export function splitSentences(text: string): string[] {
  // Control characters mean nothing aloud.
  const plain = text.normalize("NFC").replace(/\p{Cc}+/gu, (found) => (found.includes("\n") ? "\n" : " "));
  const segmenter = new Intl.Segmenter("en", { granularity: "sentence" });
  const sentences = [...segmenter.segment(plain)].flatMap(({ segment }) => cut(segment.trim()));
  return sentences.filter((sentence) => /[\p{L}\p{N}]/u.test(sentence));
}

function cut(sentence: string): string[] {
  if (sentence.length <= mostCharacters) return [sentence];
  const start = sentence.slice(0, mostCharacters);
  const pause = Math.max(...[", ", "; ", ": ", " – ", " — "].map((sign) => start.lastIndexOf(sign)));
  const blank = start.lastIndexOf(" ");
  const at = pause > mostCharacters / 4 ? pause + 1 : blank > 0 ? blank : wholeCharacters(start);
  return [sentence.slice(0, at).trim(), ...cut(sentence.slice(at).trim())];
}

/** Never between the halves of one character. */
function wholeCharacters(text: string): number {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last < 0xdc00 ? text.length - 1 : text.length;
}
