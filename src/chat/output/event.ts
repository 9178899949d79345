/** What the text of a model turns out to be: answer, reasoning, calls. `ChatEvent` without the index of the completion. */
export type OutputEvent =
  | { readonly type: "text-delta"; readonly text: string }
  | { readonly type: "reasoning-delta"; readonly text: string }
  | {
      readonly type: "tool-call-start";
      readonly callIndex: number;
      readonly id: string;
      readonly name: string;
    }
  | { readonly type: "tool-call-delta"; readonly callIndex: number; readonly argumentsDelta: string }
  | {
      readonly type: "tool-call-end";
      readonly callIndex: number;
      readonly id: string;
      readonly name: string;
      readonly arguments: string;
    };

/** A part of the parser: takes text in pieces of any size; how it is cut changes nothing in the sum of the events. */
export interface OutputStage {
  push(text: string): OutputEvent[];
  /** The text is complete: what was held back comes out. */
  end(): OutputEvent[];
}
