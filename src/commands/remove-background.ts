import type { Command } from "./command.ts";
import { defineRemake } from "./tasks/remake.ts";

export const removeBackground: Command = defineRemake(
  "remove-background",
  "Cuts out what a picture shows: the rest becomes transparent.",
);
