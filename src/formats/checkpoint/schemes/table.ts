import type { OpenScheme } from "../scheme.ts";
import { openAwq } from "./awq.ts";
import { openBitsAndBytes } from "./bitsandbytes.ts";
import { openCompressed } from "./compressed.ts";
import { openFp8 } from "./fp8.ts";
import { openGptq } from "./gptq.ts";
import { openMxfp4 } from "./mxfp4.ts";

/** The quantization schemes of checkpoints. The first that knows a configuration takes it. */
export const schemes: readonly OpenScheme[] = [openGptq, openAwq, openCompressed, openFp8, openBitsAndBytes, openMxfp4];
