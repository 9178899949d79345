/** What the measuring process says to its parent, and to its threads. */
import type { PeakKind } from "../kernels/wasm/peak.ts";

/** Operations per second. */
export type PeakRates = Readonly<Record<PeakKind, { readonly oneThread: number; readonly allThreads: number }>>;

export interface PeakRequest {
  readonly threads: number;
}

export interface PeakTurn {
  readonly kind: PeakKind;
  readonly turns: number;
}
