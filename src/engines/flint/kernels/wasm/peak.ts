/**
 * Kernels that compute as many int8 products as the processor can, on registers alone: what the matrix kernels are
 * measured against. Each sum is an operand of its own next product, so that no compiler can leave one out.
 */
import { rowGroup } from "../../weights/layout.ts";
import type { Code, FunctionCode } from "./code.ts";
import { func, loopWhile, sequence } from "./code.ts";
import { i16x8, i32, v128 } from "./instructions.ts";
import { unsigned } from "./leb.ts";
import { encodeModule } from "./module.ts";

/** `pairs`: two products added in 16 bits, then to the sum, as the matrix kernels do; `quads`: four, with the sum, in 32. */
export type PeakKind = "pairs" | "quads";

/** Sums at a time: enough to hide an instruction's latency, few enough for 16 registers of 256 bits. */
const chains = 12;
const halves = [0, 1] as const;

/** Multiplications and additions of one turn of the loop. */
export const peakOperations: number = chains * 2 * 16 * 2;

/** (address, turns): 32 bytes of codes, 0 to 127, at the address; behind them the sums are written. */
function peak(kind: PeakKind): FunctionCode {
  return func(kind, (scope) => {
    const address = scope.param("i32");
    const turns = scope.param("i32");
    const codes = scope.locals("v128", 2);
    const sums = Array.from({ length: chains }, () => scope.locals("v128", 2));
    const next = kind === "pairs" ? nextPairs : nextQuads;
    const places = sums.flatMap((pair, chain) =>
      pair.map((sum, half) => ({ sum, half, offset: (1 + chain) * rowGroup * 4 + half * 16 })),
    );
    const body = places.flatMap(({ sum, half }) => sum.set(next(sum.get, codes[half]?.get ?? [])));
    return sequence(
      halves.map((half) => codes[half]?.set(v128.load(address.get, half * 16)) ?? []),
      places.map(({ sum, offset }) => sum.set(v128.load(address.get, offset))),
      loopWhile(sequence(body, turns.set(i32.sub(turns.get, i32.const(1)))), turns.get),
      places.map(({ sum, offset }) => v128.store(address.get, sum.get, offset)),
    );
  });
}

type Next = (sum: Code, codes: Code) => Code;

const nextPairs: Next = (sum, codes) => i16x8.add(sum, i16x8.relaxedDot(sum, codes));
/** i32x4.relaxed_dot_i8x16_i7x16_add_s, which no kernel uses so far. */
const nextQuads: Next = (sum, codes) => [...sum, ...codes, ...sum, 0xfd, ...unsigned(275)];

/** A module that exports `pairs` and `quads`. */
export function peakModule(): Uint8Array<ArrayBuffer> {
  return encodeModule({ memories: 1, functions: [peak("pairs"), peak("quads")] });
}
