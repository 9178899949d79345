/** Language models whose rows of a picture see each other both ways (Gemma 3): a picture is computed in one step. */
import { HearthError } from "../../../error.ts";
import type { Hyperparameters } from "../architectures/hyperparameters.ts";

/** A picture of Gemma 3 has 256 rows; others run beside it. */
const leastRows = 512;

/** Rows of a step; `asked` where no picture must fit into one. */
export function stepRows({ picturesBothWays }: Hyperparameters, asked: number | undefined): number | undefined {
  return picturesBothWays ? Math.max(asked ?? 0, leastRows) : asked;
}

/** Throws `model_unsupported` for pictures of more tokens than a step has room for. */
export function checkPictureTokens(tokens: number, { picturesBothWays }: Hyperparameters, most: number): void {
  if (!picturesBothWays || tokens <= most) return;
  const problem = `A picture has up to ${tokens} tokens, of which each sees all others; flint computes ${most} such.`;
  throw new HearthError("model_unsupported", problem, { details: { tokens, most } });
}
