/** What an architecture file gives: which tensors it needs, and its forward pass. */
import type { GgufFile } from "../../../formats/gguf/types.ts";
import type { Graph } from "../graph/graph.ts";
import type { Hyperparameters } from "./hyperparameters.ts";

export interface Architecture {
  /** Values of `general.architecture` that it runs. */
  readonly names: readonly string[];
  /**
   * Reads and checks what differs from the usual; throws `model_malformed` or `model_unsupported` before any allocation of
   * size. `contextTokens` are those of one sequence that the model is loaded for (LongRoPE); default: those of its training.
   */
  readonly hyperparameters: (file: GgufFile, contextTokens?: number) => Hyperparameters;
  /** Records the forward pass. Its look-ups of tensors throw as `Tensors` says. */
  readonly build: (graph: Graph, hyperparameters: Hyperparameters) => void;
}
