/** Classifiers of texts, and of pairs of texts: labels, labels of one's own (zero-shot), and relevance. */
import { HearthError } from "../../../error.ts";
import type { ClassifyRequest, ClassifyResult } from "../../../spec/perform.ts";
import type { Batcher } from "../batch.ts";
import { createBatcher, textBatch } from "../batch.ts";
import type { OnnxContext, OpenTasks } from "../context.ts";
import { refuseLabels } from "../../media/own-labels.ts";
import { labelNames, rank } from "../labels.ts";
import type { EncodedText, TextEncoder } from "../text.ts";
import { openTextEncoder, padTexts } from "../text.ts";
import { output, sigmoid, softmax } from "../values.ts";

interface Scorer {
  readonly encoder: TextEncoder;
  /** Logits of each label. */
  readonly batcher: Batcher<EncodedText, Float32Array>;
}

async function openScorer(context: OnnxContext): Promise<Scorer> {
  const [session, encoder] = [await context.session(), await openTextEncoder(context)];
  const batcher = createBatcher<EncodedText, Float32Array>({
    lengthOf: ({ ids }) => ids.length,
    ...textBatch(context.device),
    async run(rows) {
      const { data, shape } = output(await session.run(padTexts(rows, session, encoder.padId)), "logits");
      const width = shape.at(-1) ?? 1;
      return rows.map((_, index) => data.slice(index * width, (index + 1) * width));
    },
  });
  return { encoder, batcher };
}

/** A classifier with one label says how well a document answers a query (https://arxiv.org/abs/1901.04085). */
export const openRerank: OpenTasks = async (context) => {
  const { encoder, batcher } = await openScorer(context);
  return {
    text: encoder,
    batches: true,
    async rerank({ query, documents }, signal) {
      const rows = documents.map((pair, index) => encoder.encode(query, { pair, index }));
      const logits = await batcher.add(rows, signal);
      const tokens = rows.reduce((sum, { ids }) => sum + ids.length, 0);
      return { scores: logits.map(([score = 0]) => sigmoid(score)), tokens };
    },
  };
};

const defaultHypothesis = "This example is {}.";

export const openTextClassifier: OpenTasks = async (context) => {
  const { encoder, batcher } = await openScorer(context);
  const config = context.config("config.json");
  const [name, entailment] = [labelNames(config), findEntailment(config?.["label2id"])];
  const several = config?.["problem_type"] === "multi_label_classification";
  const classify = async (request: ClassifyRequest, signal: AbortSignal | undefined): Promise<ClassifyResult> => {
    const { texts, labels, topK } = request;
    if (!texts || texts.length === 0) throw needsTexts();
    if (labels && entailment !== undefined)
      return await compare({ encoder, batcher }, { ...request, texts, labels, entailment, signal });
    refuseLabels(request, "a model of natural language inference");
    const rows = texts.map((text, index) => encoder.encode(text, { index }));
    const logits = await batcher.add(rows, signal);
    return { labels: logits.map((row) => rank(row, { name, topK, several })) };
  };
  return {
    text: encoder,
    batches: true,
    tasks: { classify: async (request, { signal }) => await classify(request, signal) },
  };
};

function needsTexts(): HearthError {
  return new HearthError("bad_request", "This model classifies texts; the request has none.", {
    hint: "Send `texts`.",
    details: { field: "texts" },
  });
}

/** Which output of a model of natural language inference means that the second sentence follows from the first. */
function findEntailment(ids: unknown): number | undefined {
  if (typeof ids !== "object" || ids === null) return undefined;
  const found = Object.entries(ids).find(([label]) => /^entail/i.test(label))?.[1] as unknown;
  return typeof found === "number" ? found : undefined;
}

interface Comparison extends ClassifyRequest {
  readonly texts: readonly string[];
  readonly labels: readonly string[];
  readonly entailment: number;
  readonly signal: AbortSignal | undefined;
}

/** Zero-shot by inference (https://arxiv.org/abs/1909.00161): the label whose sentence follows most surely. */
async function compare(
  { encoder, batcher }: Scorer,
  { texts, labels, hypothesis = defaultHypothesis, topK, entailment, signal }: Comparison,
): Promise<ClassifyResult> {
  if (labels.length === 0) throw new HearthError("bad_request", "`labels` is empty.", { details: { field: "labels" } });
  const rows = texts.flatMap((text, index) =>
    labels.map((label) => encoder.encode(text, { pair: hypothesis.replaceAll("{}", label), index })),
  );
  const logits = await batcher.add(rows, signal);
  return {
    labels: texts.map((_, index) => {
      const own = logits.slice(index * labels.length, (index + 1) * labels.length).map((row) => row[entailment] ?? 0);
      const shares = softmax(own);
      const found = labels.map((label, at) => ({ label, score: shares[at] ?? 0 })).sort((a, b) => b.score - a.score);
      return found.slice(0, topK ?? labels.length);
    }),
  };
}
