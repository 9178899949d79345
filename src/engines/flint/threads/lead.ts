/** What the leader has beyond other workers. */
import type { BlockStore } from "../cache/store.ts";
import { checkKernels } from "../graph/self-check.ts";
import type { Vocabulary } from "../tokenizer/vocabulary.ts";
import { Counters } from "./counters.ts";
import { Draft } from "./draft.ts";
import { Leader } from "./leader.ts";
import type { Command, Reply } from "./protocol.ts";
import { Steps } from "./steps.ts";
import type { Compute, WorkerSetup } from "./worker.ts";

export interface LeadOptions {
  /** The model, and one whose guesses it checks. */
  readonly models: readonly WorkerSetup[];
  readonly computes: readonly Compute[];
  readonly vocabulary: Vocabulary;
  readonly post: (reply: Reply) => void;
  readonly turn: () => Promise<void>;
  readonly store?: BlockStore | undefined;
}

export interface Lead {
  readonly push: (command: Command) => void;
  readonly run: () => Promise<void>;
}

export function createLead({ models, computes, vocabulary, post, turn, store }: LeadOptions): Lead {
  for (const { plan, module } of models) checkKernels(plan, module);
  const [steps, draft] = models.map((setup, model) => {
    const compute = computes[model];
    return compute && new Steps({ setup, compute, model, store: model === 0 ? store : undefined });
  });
  const [setup] = models;
  const [compute] = computes;
  if (!setup || !compute || !steps) throw new RangeError("no model");
  let wake = (): void => {};
  const rest = (): Promise<void> => new Promise((resolve) => (wake = resolve));
  const leader = new Leader({
    compute,
    steps,
    draft: draft && new Draft(draft),
    vocabulary,
    counters: new Counters(setup.counters),
    speculation: setup.speculation,
    reply: post,
    turn,
    rest,
  });
  return {
    push(command) {
      leader.push(command);
      wake();
    },
    run: () => leader.run(),
  };
}
