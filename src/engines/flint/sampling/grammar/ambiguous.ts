import { HearthError } from "../../../../error.ts";

/** The refusal of a grammar that takes more than anybody should pay for it. */
export function tooAmbiguous(): HearthError {
  return new HearthError("grammar_invalid", "The grammar can be read in too many ways at once.", {
    hint: "Say it so that each text can be read in one way, or in few.",
  });
}
