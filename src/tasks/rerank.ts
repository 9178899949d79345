import type { Runtime } from "../runtime/contract.ts";
import type { RerankTaskRequest, RerankTaskResult } from "../spec/task.ts";
import { need } from "./capability.ts";
import { checkLength, checkNumber, mostTexts, refuse } from "./check.ts";
import { toTaskError } from "./failure.ts";
import { withLease } from "./lease.ts";

/** Orders documents by how well they answer a query, best first; equal ones stay in their order. */
export async function rerank(runtime: Runtime, request: RerankTaskRequest): Promise<RerankTaskResult> {
  checkRequest(request);
  return await withLease(runtime, request, async (lease) => {
    const run = need(lease, "rerank");
    const { query, documents, topN = documents.length, signal } = request;
    try {
      const { scores, tokens } = await run({ query, documents }, signal ? { signal } : {});
      const results = scores.map((score, index) => ({ index, score })).sort((a, b) => b.score - a.score);
      return { model: lease.model.name, results: results.slice(0, topN), tokens };
    } catch (error) {
      throw toTaskError(error, signal);
    }
  });
}

function checkRequest({ query, documents, topN }: RerankTaskRequest): void {
  if (query === "") throw refuse("query", "is empty");
  if (documents.length === 0) throw refuse("documents", "is empty", "Send at least one document.");
  if (documents.length > mostTexts) throw refuse("documents", `has ${documents.length}; ${mostTexts} are the most`);
  checkLength("query", query.length);
  for (const document of documents) checkLength("documents", document.length);
  if (topN !== undefined) checkNumber("topN", topN, { min: 1, max: 2 ** 31 - 1, whole: true });
}
