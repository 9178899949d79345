/** How much a process may grow, and how long one token may be chosen, while a grammar holds an answer to its form. */
export interface GuardLimits {
  readonly growthBytes: number;
  readonly sampleMs: number;
}

const defaults: GuardLimits = { growthBytes: 2 * 1024 ** 3, sampleMs: 10_000 };
const everyMs = 50;

/**
 * An ambiguous grammar can double its state with every token; nothing shows that beforehand, and native code cannot be
 * interrupted. Better this process ends, with its requests, than the memory of the machine.
 */
export interface GrammarGuard {
  /** Watches one answer. */
  watch(): GrammarWatch;
}

export interface GrammarWatch {
  /** Runs what chooses a token, under the time limit. */
  sampling<T>(work: () => Promise<T>): Promise<T>;
  stop(): void;
}

export function createGrammarGuard(
  onLimit: (what: string) => void = endProcess,
  limits: GuardLimits = defaults,
): GrammarGuard {
  const watches = new Set<{ since: number | undefined }>();
  let timer: NodeJS.Timeout | undefined;
  let before = 0;
  const check = (): void => {
    const grown = process.memoryUsage.rss() - before;
    if (grown > limits.growthBytes) onLimit(`took ${grown} bytes of memory`);
    for (const { since } of watches) {
      const ms = since === undefined ? 0 : performance.now() - since;
      if (ms > limits.sampleMs) onLimit(`needed more than ${limits.sampleMs} ms for one token`);
    }
  };
  return {
    watch() {
      const watch: { since: number | undefined } = { since: undefined };
      if (watches.size === 0) {
        before = process.memoryUsage.rss();
        timer = setInterval(check, everyMs);
      }
      watches.add(watch);
      return {
        async sampling(work) {
          watch.since = performance.now();
          try {
            return await work();
          } finally {
            watch.since = undefined;
          }
        },
        stop() {
          watches.delete(watch);
          if (watches.size === 0) clearInterval(timer);
        },
      };
    },
  };
}

function endProcess(what: string): void {
  process.stderr.write(`A grammar ${what}; the engine ends.\n`, () => {
    process.kill(process.pid, "SIGKILL");
  });
}
