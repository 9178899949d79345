import type { LlamaContext, LlamaContextSequence, LlamaModel, Token } from "node-llama-cpp";
import { HearthError } from "../../error.ts";
import { validateForEngine } from "../../formats/gguf/validate.ts";
import { readModelFiles } from "./files.ts";
import type { Sampler } from "./internals.ts";
import { canGoBack, checkSameVocabulary, openSampler } from "./internals.ts";
import { defaultBatchTokens } from "./job.ts";
import type { LoadJob } from "./job.ts";

/** Guesses of a smaller model, for one sequence. */
export interface Drafter {
  /** Brings its cache up to a text; what it has not seen yet is computed, all but the last tokens, which it returns. */
  follow(history: readonly Token[]): Promise<readonly Token[]>;
  /** What it would say after those last tokens, as far as it is sure of it; at most so many tokens. */
  guess(last: readonly Token[], most: number): Promise<readonly Token[]>;
}

interface DrafterOptions {
  readonly model: LlamaModel;
  readonly sequence: LlamaContextSequence;
  readonly batchTokens: number;
}

/** A smaller model that was loaded beside the one that it guesses for. */
export interface DraftModel {
  /** One for each sequence of the other model. */
  readonly drafters: readonly Drafter[];
}

/** Throws `engine_load_failed` where its guesses could not be used. */
export async function openDraft(job: LoadJob, path: string, target: LlamaContext): Promise<DraftModel> {
  const { backend, options, call } = job;
  await checkFile(path);
  const batchTokens = options.batchTokens ?? defaultBatchTokens;
  const signals = call.signal
    ? { load: { loadSignal: call.signal }, create: { createSignal: call.signal } }
    : undefined;
  const gpuLayers = backend.device === "cpu" ? 0 : "auto";
  const model = await backend.llama.loadModel({
    modelPath: path,
    gpuLayers,
    useMmap: options.mmap ?? "auto",
    ...signals?.load,
  });
  if (!canGoBack(model)) throw refuseDraft(path, "it cannot take back a wrong guess");
  const { contextSize, totalSequences: sequences } = target;
  const context = await model.createContext({
    contextSize,
    sequences,
    batchSize: batchTokens,
    threads: backend.threads,
    failedCreationRemedy: false,
    ...signals?.create,
  });
  try {
    checkSameVocabulary(target, context);
  } catch (error) {
    throw refuseDraft(path, error instanceof Error ? error.message : String(error));
  }
  const drafters = Array.from({ length: sequences }, () =>
    createDrafter({ model, sequence: context.getSequence(), batchTokens }),
  );
  return { drafters };
}

/** Native code sees no file that was not read here first. */
async function checkFile(path: string): Promise<void> {
  const [first, ...others] = await readModelFiles(path);
  validateForEngine(
    first.header,
    [first, ...others].flatMap(({ header }) => header.tensors),
  );
  for (const { header } of others) validateForEngine(header);
}

function refuseDraft(path: string, reason: string): HearthError {
  return new HearthError("engine_load_failed", `The draft model ${path} cannot be used: ${reason}.`, {
    hint: "A draft model is a smaller one of the same family, with the same vocabulary.",
    details: { field: "draft" },
  });
}

/** A token that the small model thinks less likely than this is more often wrong than right. */
const leastSure = 0.5;

function createDrafter({ model, sequence, batchTokens }: DrafterOptions): Drafter {
  let sampler: Sampler | undefined;
  return {
    async follow(history) {
      await sequence.adaptStateToTokens(history.slice(0, -1), false);
      let at = sequence.nextTokenIndex;
      for (; history.length - at > batchTokens; at += batchTokens) {
        await sequence.evaluateWithoutGeneratingNewTokens(history.slice(at, at + batchTokens));
      }
      return history.slice(at);
    },
    async guess(last, most) {
      sampler ??= openSampler({ sequence, model, options: { temperature: 0 }, watch: undefined });
      if (!sampler) return [];
      const room = sequence.contextSize - sequence.nextTokenIndex - last.length;
      const guess: Token[] = [];
      let tokens = last;
      while (guess.length < Math.min(most, room - 1)) {
        const [chosen] = await sampler.next({ tokens, top: 1 });
        // Of the most likely token exp(logit - highest) is 1.
        if (!chosen?.logits || 1 / chosen.logits.total < leastSure || model.isEogToken(chosen.token)) break;
        guess.push(chosen.token);
        tokens = [chosen.token];
      }
      return guess;
    },
  };
}
