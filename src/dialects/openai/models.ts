import type { InstalledModel } from "../../spec/model.ts";

export interface ModelBody {
  readonly id: string;
  readonly object: "model";
  /** Seconds since 1970. */
  readonly created: number;
  /** Whose files they are: hearth's own, or another tool's that were adopted. */
  readonly owned_by: string;
}

export function toModelBody(model: InstalledModel): ModelBody {
  return {
    id: model.name,
    object: "model",
    created: Math.floor(model.modifiedAt.getTime() / 1000),
    owned_by: model.origin === "store" ? "hearth" : model.origin,
  };
}
