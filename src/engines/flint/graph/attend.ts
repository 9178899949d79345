import type { FunctionCode } from "../kernels/wasm/code.ts";
import { halves } from "../weights/codecs/half.ts";
import type { StageRunner } from "./matrices.ts";
import type { Plan } from "./plan.ts";
import type { AttendOp } from "./program.ts";
import type { RowContext } from "./rows.ts";
export function attendKernels(_plan: Plan): FunctionCode[] { return []; }
export function attendRunner(op: AttendOp, { plan, memory }: RowContext): StageRunner {
  const a = plan.attentions[op.attention]!, q = plan.values[op.q]!, out = plan.values[op.out]!;
  const f = new Float32Array(memory.buffer), s = new Uint16Array(memory.buffer);
  return {
    pieces: (c) => c.rows("all"),
    run(row, c) {
      const p = c.position(row), len = c.length(row), table = c.table(row);
      const end = a.bidirectional ? Math.min(len, a.window ? p + Math.floor(a.window / 2) + 1 : len) : p + 1;
      const first = a.window ? Math.max(0, a.bidirectional ? p - Math.floor(a.window / 2) : p - a.window + 1) : 0;
      const G = a.heads / a.keyHeads;
      for (let h = 0; h < a.heads; h++) {
        const kh = Math.floor(h / G); const sc: number[] = []; const qa = (q.address + row * q.stride) / 4 + h * a.headWidth;
        for (let t = first; t < end; t++) { const b = c.block(table, t >> 5); const kb = (a.keys + b * a.keyBlockBytes) / 2 + kh * a.headWidth * 32 + (t & 31);
          let d = 0; for (let i = 0; i < a.headWidth; i++) d += f[qa + i]! * halves[s[kb + i * 32]!]!;
          d *= a.scale; if (a.softCap) d = a.softCap * Math.tanh(d / a.softCap); sc.push(d); }
        const m = Math.max(...sc); let sum = 0; const o = new Float64Array(a.valueWidth);
        for (let t = first; t < end; t++) { const w = Math.exp(sc[t - first]! - m); sum += w; const b = c.block(table, t >> 5); const vb = (a.values + b * a.valueBlockBytes) / 2 + (kh * 32 + (t & 31)) * a.valueWidth;
          for (let i = 0; i < a.valueWidth; i++) o[i]! += w * halves[s[vb + i]!]!; }
        const oa = (out.address + row * out.stride) / 4 + h * a.valueWidth;
        for (let i = 0; i < a.valueWidth; i++) f[oa + i] = o[i]! / sum;
      }
    },
  };
}
