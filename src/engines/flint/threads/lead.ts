/** What the leader has beyond other workers. */
import type { BlockStore } from "../cache/store.ts";
import { checkKernels } from "../graph/self-check.ts";
import type { Vocabulary } from "../tokenizer/vocabulary.ts";
import { Counters } from "./counters.ts";
import { Leader } from "./leader.ts";
import type { Command, Reply } from "./protocol.ts";
import { Steps } from "./steps.ts";
import type { Compute, WorkerSetup } from "./worker.ts";

export interface LeadOptions {
  readonly setup: WorkerSetup;
  readonly compute: Compute;
  readonly vocabulary: Vocabulary;
  readonly post: (reply: Reply) => void;
  readonly turn: () => Promise<void>;
  readonly store?: BlockStore | undefined;
}

export interface Lead {
  readonly push: (command: Command) => void;
  readonly run: () => Promise<void>;
}

export function createLead({ setup, compute, vocabulary, post, turn, store }: LeadOptions): Lead {
  checkKernels(setup.plan, setup.module);
  let wake = (): void => {};
  const rest = (): Promise<void> => new Promise((resolve) => (wake = resolve));
  const leader = new Leader({
    compute,
    steps: new Steps({ setup, compute, store }),
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
