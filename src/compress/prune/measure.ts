import { HearthError } from "../../error.ts";
import type { Activations, Cuts, PruneOptions } from "./contract.ts";

/** Whether the choice depends on what a text causes. */
export function isMeasured({ layers, heads, channels, zeros }: Cuts): boolean {
  const isChosen = layers !== undefined && !("drop" in layers);
  return isChosen || heads !== undefined || channels !== undefined || zeros?.method === "wanda";
}

/** Throws `bad_request` where the choice needs a text and none was given. */
export function requireMeasure({ measure, layers, heads, channels }: PruneOptions): () => Promise<Activations> {
  if (measure) return measure;
  const what = layers && !("drop" in layers) ? "layers" : heads ? "heads" : channels ? "channels" : "weights";
  const instead = { layers: "--drop 20-25", weights: "--method magnitude", heads: undefined, channels: undefined }[
    what
  ];
  throw new HearthError("bad_request", `Which ${what} matter least is found with a text; none was given.`, {
    hint: `Give one of the kind that the model is for: --calibration FILE${instead === undefined ? "." : `; or do without: ${instead}.`}`,
    details: { field: "calibration" },
  });
}
