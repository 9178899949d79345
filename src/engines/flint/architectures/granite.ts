import { booleanOf, failKey } from "../../../formats/gguf/check.ts";
import type { GgufFile } from "../../../formats/gguf/types.ts";
import type { Graph, Value } from "../graph/graph.ts";
import type { Architecture } from "./architecture.ts";
import { attend, project, projectOutput } from "./attention.ts";
import { addResidual, embedTokens, forEachLayer, wantedRows } from "./block.ts";
import type { Block } from "./block.ts";
import { gatedFeedForward, mixExperts, sharedExpert } from "./feed-forward.ts";
import { finish } from "./finish.ts";
import { norm } from "./linear.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import { architectureOf, readHyperparameters, readNumber } from "./read.ts";

/** Granite 3 and 4: llama with a multiplier for embeddings, scores, what each half of a layer adds, and logits. */
export const granite: Architecture = { names: ["granite"], hyperparameters: readGranite, build: buildGranite };

/** The same with experts, and a shared one where the header gives its width. */
export const granitemoe: Architecture = { names: ["granitemoe"], hyperparameters: readGranite, build: buildGranite };

function readGranite(file: GgufFile, contextTokens?: number): Hyperparameters {
  const name = architectureOf(file);
  // The key for fine-tuned scaling is a switch here: false means no positions at all.
  const isRotated = booleanOf(file, `${name}.rope.scaling.finetuned`) ?? true;
  const model = readHyperparameters(file, {
    contextTokens,
    norm: "rms",
    rope: "interleaved",
    ropeFactors: true,
    withoutRope: () => !isRotated,
  });
  const divisor = readNumber(file, `${name}.logit_scale`) ?? failKey(file, `${name}.logit_scale`, "is missing or 0");
  const embeddingScale = readNumber(file, `${name}.embedding_scale`);
  const residualScale = readNumber(file, `${name}.residual_scale`);
  return {
    ...model,
    logitScale: 1 / divisor,
    ...(embeddingScale !== undefined && { embeddingScale }),
    ...(residualScale !== undefined && { residualScale }),
  };
}

function buildGranite(graph: Graph, model: Hyperparameters): void {
  let x = embedTokens(graph, model);
  forEachLayer(graph, model, (block) => {
    const heads = project(block, norm(block, x, "attn_norm"), "optional");
    const attended = wantedRows(block, projectOutput(block, attend(block, heads), "optional"));
    const middle = addResidual(block, attended, wantedRows(block, x));
    x = addResidual(block, feedForward(block, norm(block, middle, "ffn_norm")), middle);
  });
  finish(graph, model, x, { tied: "maybe" });
}

function feedForward(block: Block, x: Value): Value {
  const { experts } = block.model;
  if (!experts) return gatedFeedForward(block, x, { activation: "silu", bias: "optional" });
  const mixed = mixExperts(block, x, { scoring: "softmax", normalize: true });
  return experts.sharedFeedForward === 0 ? mixed : block.graph.add(mixed, sharedExpert(block, x));
}
