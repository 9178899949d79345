import type { TimedText, TranscriptSegment } from "../../../spec/perform.ts";

const ending = /[.!?。！？…]["')\]]?$/u;
/** A segment ends here at the latest. */
const mostWords = 40;

/** Words → sentences with their words. */
export function sentences(words: readonly TimedText[]): TranscriptSegment[] {
  const found: TranscriptSegment[] = [];
  let open: TimedText[] = [];
  const close = (): void => {
    const [first, last] = [open[0], open.at(-1)];
    const own = open.map((word) => ({ ...word, text: word.text.trim() }));
    if (first && last) {
      found.push({
        text: open
          .map(({ text }) => text)
          .join("")
          .trim(),
        start: first.start,
        end: last.end,
        words: own,
      });
    }
    open = [];
  };
  for (const word of words) {
    if (word.text.trim() === "") continue;
    open.push(word);
    if (ending.test(word.text.trim()) || open.length >= mostWords) close();
  }
  close();
  return found;
}
