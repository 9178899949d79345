// Which text is closest to a question? By embeddings and, with a second model, by a reranker.
// Run: node examples/similarity.ts [embedding model] [reranking model]
import { dispose, embed, pull, rerank } from "../src/index.ts";

const model = process.argv[2] ?? "all-minilm";
const reranker = process.argv[3];
const question = "How do I keep bread fresh?";
const texts = [
  "Store a loaf in a linen bag at room temperature.",
  "The train to Lyon leaves at nine.",
  "Freeze slices that you will not eat within two days.",
];

await pull(model);
const { vectors } = await embed({ model, texts: [question, ...texts] });
const [wanted = new Float32Array(), ...others] = vectors;
// The vectors have length 1, so their dot product is the cosine of the angle between them.
const ranked = others
  .map((vector, index) => ({ text: texts[index], score: vector.reduce((sum, x, i) => sum + x * (wanted[i] ?? 0), 0) }))
  .sort((a, b) => b.score - a.score);
for (const { text, score } of ranked) console.log(`${score.toFixed(3)}  ${text}`);

if (reranker !== undefined) {
  await pull(reranker);
  const { results } = await rerank({ model: reranker, query: question, documents: texts, topN: 2 });
  console.log("\nReranked:");
  for (const { index, score } of results) console.log(`${score.toFixed(3)}  ${texts[index]}`);
}

await dispose();
