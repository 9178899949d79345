/** What a worker thread does, wherever it runs: it loads its share, then leads or follows. */
import { serializeError } from "../../../error.ts";
import { createDeferred } from "../../../util/deferred.ts";
import type { BlockStore, StoreSetup } from "../cache/store.ts";
import { openVocabulary } from "../tokenizer/vocabulary.ts";
import type { ReadFile } from "./load.ts";
import { loadShare } from "./load.ts";
import type { Command, ComputeMessage, FileSource, LoadMessage, Reply, RoleMessage } from "./protocol.ts";
import { Compute, follow } from "./worker.ts";

/** How a worker and the thread that started it reach each other. */
export interface WorkerPort {
  readonly post: (reply: Reply) => void;
  /** Called once. */
  readonly listen: (take: (message: unknown) => void) => void;
}

/** What a platform brings. */
export interface WorkerPlatform {
  readonly read: ReadFile;
  /** Lets the thread see new commands. */
  readonly turn: () => Promise<void>;
  /** Absent: the platform keeps nothing outside memory. */
  readonly openStore?: (setup: StoreSetup, onNotice: (text: string) => void) => BlockStore;
}

export type OpenPlatform = (file: FileSource) => WorkerPlatform | Promise<WorkerPlatform>;

/**
 * Runs until the engine stops. `open` gives what reads the model. A load that fails is told to whoever started it; what
 * goes wrong later is thrown, since nothing can be computed any more.
 */
export async function runWorker(port: WorkerPort, open: OpenPlatform): Promise<void> {
  const inbox = createInbox(port);
  let work: () => void | Promise<void>;
  try {
    const { leads } = (await inbox.next()) as RoleMessage;
    // Only the leader needs the samplers and grammars; it brings them in while the header is read.
    const leading = leads ? await import("./lead.ts") : undefined;
    const { setup, file, draft } = (await inbox.next()) as LoadMessage;
    const platform = await open(file);
    loadShare(setup, platform.read);
    if (draft) loadShare(draft.setup, (await open(draft.file)).read);
    const modules = (await inbox.next()) as ComputeMessage;
    const { vocabulary } = modules;
    const models = [{ ...setup, module: modules.module }];
    if (draft && modules.draft) models.push({ ...draft.setup, module: modules.draft });
    const computes = models.map((model) => new Compute(model));
    if (!leading || !vocabulary) work = () => follow(computes);
    else {
      const { post } = port;
      const { turn, openStore } = platform;
      const onNotice = (text: string): void => post({ type: "notice", text });
      const { push, run } = leading.createLead({
        models,
        computes,
        vocabulary: openVocabulary(vocabulary),
        post,
        turn,
        store: setup.store && openStore?.(setup.store, onNotice),
      });
      inbox.take((message) => push(message as Command));
      work = run;
    }
  } catch (error) {
    port.post({ type: "load-failed", error: serializeError(error) });
    return;
  }
  port.post({ type: "loaded" });
  await work();
}

interface Inbox {
  /** The next message; one call waits at a time. */
  next(): Promise<unknown>;
  /** From now on messages go there. */
  take(listen: (message: unknown) => void): void;
}

function createInbox({ listen }: WorkerPort): Inbox {
  const waiting: unknown[] = [];
  let take: ((message: unknown) => void) | undefined;
  listen((message) => {
    if (take) take(message);
    else waiting.push(message);
  });
  return {
    async next() {
      if (waiting.length > 0) return waiting.shift();
      const { promise, resolve } = createDeferred<unknown>();
      take = (message) => {
        take = undefined;
        resolve(message);
      };
      return await promise;
    },
    take(listener) {
      take = listener;
      for (const message of waiting.splice(0)) listener(message);
    },
  };
}
