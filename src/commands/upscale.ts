import type { Command } from "./command.ts";
import { defineRemake } from "./tasks/remake.ts";

export const upscale: Command = defineRemake("upscale", "Makes a picture larger, with details that a model invents.");
