import { freemem, totalmem } from "node:os";
import type { MemoryState } from "./contract.ts";
export function systemMemory(): MemoryState { return { totalBytes: totalmem(), availableBytes: freemem() }; }
