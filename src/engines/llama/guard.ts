/** How much a process may grow while grammars hold answers to their form. */
const maxGrowthBytes = 2 * 1024 ** 3;
const everyMs = 50;

/**
 * An ambiguous grammar can double its state with every token, and nothing shows that beforehand. Better this process
 * ends, with its requests, than the memory of the machine.
 */
export interface MemoryGuard {
  /** Watches until the returned function is called. */
  watch(): () => void;
}

export function createMemoryGuard(onLimit: (grownBytes: number) => void = endProcess): MemoryGuard {
  let watchers = 0;
  let timer: NodeJS.Timeout | undefined;
  let before = 0;
  const check = (): void => {
    const grown = process.memoryUsage.rss() - before;
    if (grown > maxGrowthBytes) onLimit(grown);
  };
  return {
    watch() {
      if (watchers++ === 0) {
        before = process.memoryUsage.rss();
        timer = setInterval(check, everyMs);
      }
      let watching = true;
      return () => {
        if (!watching) return;
        watching = false;
        if (--watchers === 0) clearInterval(timer);
      };
    },
  };
}

function endProcess(grownBytes: number): void {
  process.stderr.write(`A grammar took ${grownBytes} bytes of memory; the engine ends.\n`, () => {
    process.kill(process.pid, "SIGKILL");
  });
}
