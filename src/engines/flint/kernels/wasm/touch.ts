import type { Code, Scope } from "./code.ts";
import { loopWhile, sequence } from "./code.ts";
import { i32 } from "./instructions.ts";
import { advance, lessOne } from "./lanes.ts";

const lineBytes = 64;

export interface Touch {
  readonly address: Code;
  readonly bytes: number;
  /** Four bytes for a result that nobody reads: it keeps the loads from being left out. */
  readonly sink: Code;
}

/**
 * Reads a word of each cache line. WebAssembly has no prefetch; loads that do not wait for each other fetch many lines
 * at once, while arithmetic in between would leave the memory idle.
 */
export function touch(scope: Scope, { address, bytes, sink }: Touch): Code {
  const pointer = scope.local("i32");
  const count = scope.local("i32");
  const sum = scope.local("i32");
  const lines = Math.ceil(bytes / lineBytes);
  const unrolled = [16, 8, 4, 2].find((by) => lines % by === 0) ?? 1;
  const loads = Array.from({ length: unrolled }, (_, index) =>
    sum.set(i32.or(sum.get, i32.load(pointer.get, index * lineBytes))),
  );
  return sequence(
    pointer.set(address),
    count.set(i32.const(lines / unrolled)),
    loopWhile(sequence(...loads, advance([pointer], unrolled * lineBytes)), lessOne(count)),
    i32.store(sink, sum.get),
  );
}
