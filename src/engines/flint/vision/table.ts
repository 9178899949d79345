import type { VisionFamily } from "./family.ts";
import { gemma3 } from "./gemma3.ts";
import { idefics3 } from "./idefics3.ts";
import { llava } from "./llava.ts";
import { pixtral } from "./pixtral.ts";
import { qwen25vl, qwen2vl } from "./qwen2vl.ts";

/** All projectors that are known. */
export const families: readonly VisionFamily[] = [idefics3, llava, gemma3, pixtral, qwen2vl, qwen25vl];
