/** Names of people, places and other things in a text: a label for each token, joined to words (BIO). */
import { HearthError } from "../../../error.ts";
import type { Entity } from "../../../spec/perform.ts";
import type { Span } from "../align.ts";
import { alignPieces } from "../align.ts";
import { createBatcher, textBatch } from "../batch.ts";
import type { OpenTasks } from "../context.ts";
import { labelNames } from "../labels.ts";
import type { EncodedText, TextEncoder } from "../text.ts";
import { openTextEncoder, padTexts } from "../text.ts";
import { output, softmax } from "../values.ts";

interface TokenLabel {
  readonly label: string;
  readonly score: number;
  readonly span: Span;
}

export const openEntities: OpenTasks = async (context) => {
  const [session, encoder] = [await context.session(), await openTextEncoder(context)];
  const name = labelNames(context.config("config.json"));
  const batcher = createBatcher<EncodedText, readonly number[][]>({
    lengthOf: ({ ids }) => ids.length,
    ...textBatch(context.device),
    async run(rows) {
      const { data, shape } = output(await session.run(padTexts(rows, session, encoder.padId)), "logits");
      const [, longest = 0, width = 0] = shape;
      return rows.map(({ ids }, row) =>
        ids.map((_, at) => softmax(data.subarray((row * longest + at) * width, (row * longest + at + 1) * width))),
      );
    },
  });
  return {
    text: encoder,
    batches: true,
    tasks: {
      async tokens({ texts }, { signal }) {
        if (texts.length === 0) {
          throw new HearthError("bad_request", "`texts` is empty.", { details: { field: "texts" } });
        }
        const rows = texts.map((text, index) => encoder.encode(text, { index }));
        const scores = await batcher.add(rows, signal);
        return {
          entities: texts.map((text, index) => {
            const labels = labelTokens(
              { text, ids: rows[index]?.ids ?? [], scores: scores[index] ?? [] },
              encoder,
              name,
            );
            return joinTokens(labels, text);
          }),
        };
      },
    },
  };
};

interface ScoredText {
  readonly text: string;
  readonly ids: readonly number[];
  readonly scores: readonly (readonly number[])[];
}

function labelTokens(
  { text, ids, scores }: ScoredText,
  encoder: TextEncoder,
  name: (index: number) => string,
): TokenLabel[] {
  const pieces = ids.map((id) =>
    encoder.tokenizer.decode([id], { skip_special_tokens: true }).replace(/^##|^▁|^Ġ/u, ""),
  );
  const spans = alignPieces(text, pieces, encoder.lowercase);
  return ids.flatMap((_, at) => {
    const [span, row = []] = [spans[at], scores[at]];
    const best = row.indexOf(Math.max(...row));
    return span ? [{ span, label: name(best), score: row[best] ?? 0 }] : [];
  });
}

/** B- begins an entity, I- goes on with it, O is none. Labels without such marks go on with their like. */
export function joinTokens(tokens: readonly TokenLabel[], text: string): Entity[] {
  const found: { label: string; scores: number[]; start: number; end: number }[] = [];
  let open = false;
  for (const { label, score, span } of tokens) {
    const [, mark, kind = label] = /^([BIES])-(.+)$/.exec(label) ?? [];
    if (label === "O") {
      open = false;
      continue;
    }
    const last = found.at(-1);
    // A piece of a word belongs to the word, whatever its own mark says.
    const inside = last !== undefined && span.start === last.end && /\w$/u.test(text.slice(0, span.start));
    if (open && last && last.label === kind && (mark !== "B" || inside)) {
      last.scores.push(score);
      last.end = span.end;
    } else found.push({ label: kind, scores: [score], ...span });
    open = true;
  }
  return found.map(({ label, scores, start, end }) => {
    const score = scores.reduce((sum, one) => sum + one, 0) / scores.length;
    return { label, score, start, end, text: text.slice(start, end) };
  });
}
