import type { OpenScheme } from "../scheme.ts";

/** The quantization schemes of checkpoints. The first that knows a configuration takes it. */
export const schemes: readonly OpenScheme[] = [];
