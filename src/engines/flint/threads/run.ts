/** What a worker thread does, wherever it runs: it loads its share, then leads or follows. */
import { serializeError } from "../../../error.ts";
import type { GgufFile } from "../../../formats/gguf/types.ts";
import { Leader } from "./leader.ts";
import type { ReadFile } from "./load.ts";
import type { Command, Reply } from "./protocol.ts";
import { Steps } from "./steps.ts";
import type { WorkerSetup } from "./worker.ts";
import { Compute } from "./worker.ts";

/** What a platform brings. */
export interface WorkerPlatform {
  readonly read: ReadFile;
  readonly readHeader: () => Promise<GgufFile>;
  readonly post: (reply: Reply) => void;
  readonly onCommand: (take: (command: Command) => void) => void;
  /** Lets the thread see new commands. */
  readonly turn: () => Promise<void>;
}

/**
 * Runs until the engine stops. `open` gives what reads the model. A load that fails is told to whoever started it; what
 * goes wrong later is thrown, since nothing can be computed any more.
 */
export async function runWorker(
  setup: WorkerSetup,
  post: WorkerPlatform["post"],
  open: () => WorkerPlatform,
): Promise<void> {
  let work: () => void | Promise<void>;
  try {
    const platform = open();
    const compute = new Compute(setup);
    compute.load(platform.read);
    work = setup.index === 0 ? await createLead(setup, compute, platform) : () => compute.follow();
  } catch (error) {
    post({ type: "load-failed", error: serializeError(error) });
    return;
  }
  post({ type: "loaded" });
  await work();
}

async function createLead(setup: WorkerSetup, compute: Compute, platform: WorkerPlatform): Promise<() => Promise<void>> {
  const { read, readHeader, post, onCommand, turn } = platform;
  const file = await readHeader();
  let wake = (): void => {};
  const rest = (): Promise<void> => new Promise((resolve) => (wake = resolve));
  const steps = new Steps({ setup, compute, file, read });
  const leader = new Leader({ compute, steps, file, reply: post, turn, rest });
  onCommand((command) => {
    leader.push(command);
    wake();
  });
  return () => leader.run();
}
