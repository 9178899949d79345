/** What a family of projectors gives: how a picture becomes pieces, and what follows its encoder. */
import type { Picture } from "../../media/image.ts";
import type { GgufFile } from "../../../formats/gguf/types.ts";
import type { RopeOptions, RowsGraph, Value } from "../graph/graph.ts";
import type { VisionFigures, VisionModel } from "./figures.ts";
import type { ProjectorKind } from "./refuse.ts";

/** What stands for a picture, in order: texts, and tiles that the encoder turns into rows. */
export type Piece =
  | { readonly text: string }
  /** `between`: text between the lines of its rows. */
  | { readonly tile: Picture; readonly between?: string };

export interface VisionFamily {
  readonly type: ProjectorKind;
  /** Reads what differs within the family; throws `model_malformed` or `model_unsupported`. */
  readonly read: (file: GgufFile, figures: BaseFigures) => FamilyFigures;
  /** From the states of the encoder's last layer to rows of the language model. */
  readonly project: (graph: RowsGraph, model: VisionModel, states: Value) => void;
  readonly cut: (picture: Picture, figures: VisionFigures) => Promise<readonly Piece[]>;
}

/** What all families have. */
export type BaseFigures = Omit<VisionFigures, keyof FamilyFigures>;

export interface FamilyFigures {
  /** Layers that are computed; the file may have more. */
  readonly usedLayers: number;
  /** Patches of a square with sides of so many become one row. */
  readonly merge: number;
  /** A row for the whole picture goes along with the patches. */
  readonly hasClass: boolean;
  /** Most tiles of a picture. */
  readonly mostTiles: number;
  /** Longer side of a picture before it is cut into tiles. Only where there are tiles. */
  readonly longestEdge?: number;
  readonly norm: "layer" | "rms";
  /** `rope`: half of a head is rotated by the line of a patch, the other half by its column. */
  readonly places: "learned" | "rope";
  /** How; where places are by rotation. */
  readonly rotation?: PatchRotation;
  /** Layers whose number + 1 is no multiple of `period` see windows of `size` rows of the result in each direction. */
  readonly window?: { readonly size: number; readonly period: number };
  /** Of a picture as the encoder gets it, where it keeps its proportions. */
  readonly pixels?: { readonly least: number; readonly most: number };
  /** What the family knows better than the header. */
  readonly own?: Partial<Pick<VisionFigures, "side" | "imageSize" | "feedForward">>;
  /** The feed-forward parts have a gate. */
  readonly gated?: boolean;
  /** Tensors of which `count` parts [rows][columns] are read as [columns][rows]. */
  readonly turned?: readonly TurnedTensor[];
}

export interface PatchRotation {
  readonly pairing: RopeOptions["pairing"];
  /** Both directions have the same frequencies, or every second one each. */
  readonly frequencies: "same" | "alternate";
}

export interface TurnedTensor {
  readonly name: string;
  readonly count: number;
  readonly rows: number;
  readonly columns: number;
}
