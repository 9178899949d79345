/**
 * Which vector instructions the platform has. `relaxed`: dot products of int8 and fused multiply-add (WebAssembly 3.0,
 * relaxed SIMD). `plain`: 128-bit SIMD only; then the same integer arithmetic is spelled with more instructions and gives
 * the same bits, and a multiply-add rounds twice.
 */
import type { Code } from "./code.ts";
import { func } from "./code.ts";
import { encodeModule } from "./module.ts";

export type SimdLevel = "relaxed" | "plain";

let level: SimdLevel = "relaxed";

export function currentLevel(): SimdLevel {
  return level;
}

/** Writes kernels for a level. */
export function atLevel<T>(wanted: SimdLevel, write: () => T): T {
  const before = level;
  level = wanted;
  try {
    return write();
  } finally {
    level = before;
  }
}

/** What this platform can do; undefined where it lacks SIMD altogether. */
export function detectLevel(): SimdLevel | undefined {
  if (validates([0xfd, 0x93, 0x02])) return "relaxed";
  return validates([0xfd, 0xba, 0x01]) ? "plain" : undefined;
}

/** Whether an instruction on three vectors, of which it leaves one, is known: i32x4.relaxed_dot_…_add or, on two, i32x4.dot. */
function validates(instruction: Code): boolean {
  const zero: Code = [0xfd, 0x0c, ...Array.from({ length: 16 }, () => 0)];
  const operands = instruction[1] === 0x93 ? [zero, zero, zero] : [zero, zero];
  const code = func("probe", () => [...operands.flat(), ...instruction, 0x1a]);
  return WebAssembly.validate(encodeModule({ memories: 0, functions: [code] }));
}
