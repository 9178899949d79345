/**
 * What a forward pass is written with. An architecture calls these methods once, when a model is loaded; they record a
 * program that every step runs over its rows. A row is one token of one sequence; a step mixes rows of many sequences.
 */

/** Activations: float32, one vector of `width` for each row of the step. */
export interface Value {
  readonly id: number;
  readonly width: number;
}

/** A tensor of the model file by name; its shape was checked when the hyper-parameters were read. */
export interface Matrix {
  readonly name: string;
  /** Input and output width: y[n] = Σ_k w[n][k] x[k]. */
  readonly k: number;
  readonly n: number;
  /** First output row within the tensor; for fused tensors (qkv, gate and up) that are used in parts. */
  readonly row?: number;
  /** A tensor [k, n, experts] holds one such matrix for each expert. */
  readonly experts?: number;
  /** Place i of a row belongs to the input columns[i] (GPTQ's act-order); absent: to input i. */
  readonly columns?: Vector;
}

/** A small float32 tensor, e.g. the weight of a norm or a bias. */
export interface Vector {
  readonly name: string;
  readonly length: number;
  /** First element within the tensor. */
  readonly start?: number;
}

export type Activation = "silu" | "gelu" | "gelu-tanh" | "gelu-quick" | "relu" | "relu-squared" | "sigmoid" | "tanh";

export interface NormOptions {
  readonly kind: "rms" | "layer";
  readonly epsilon: number;
  readonly weight?: Vector;
  readonly bias?: Vector;
  /** Norm over each head of this width instead of the whole row (QK norm); the weight has this width, or the whole row's. */
  readonly headWidth?: number;
}

/** How positions turn into angles. Two ropes of equal options share their tables. */
export interface RopeOptions {
  /** Dimensions of a head that are rotated; the rest stays as it is. */
  readonly dimensions: number;
  /** `interleaved` rotates the pairs (0,1), (2,3) …; `halves` the pairs (0, d/2), (1, d/2 + 1) …. */
  readonly pairing: "interleaved" | "halves";
  readonly base: number;
  /** Positions are multiplied by this (linear scaling: 1 / factor). Default 1. */
  readonly positionScale?: number;
  /** Tensor of `dimensions / 2` divisors of the frequencies (llama3, longrope). */
  readonly factors?: Vector;
  readonly yarn?: {
    readonly factor: number;
    readonly trainContext: number;
    readonly betaFast: number;
    readonly betaSlow: number;
    readonly extrapolation: number;
  };
  /** cos and sin are multiplied by this (YaRN, longrope). Default 1. */
  readonly magnitude?: number;
  /** So many pairs turn with the time of a row, with its line and with its column: `dimensions / 2` in all. See `pictures/places.ts`. */
  readonly sections?: readonly [time: number, line: number, column: number];
}

export interface AttentionOptions {
  readonly layer: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly headWidth: number;
  readonly valueWidth: number;
  readonly scale: number;
  /** Each row sees itself and this many - 1 rows before it (causal), or as many on both sides (`bidirectional`: |i - j| <= window / 2). */
  readonly window?: number;
  /** Scores become cap · tanh(score / cap). */
  readonly softCap?: number;
  readonly bidirectional?: boolean;
  /** For `bidirectional` attention: a row sees the rows of its part of the step. See `Brought.parts`. */
  readonly parts?: boolean;
  /** For causal attention: a row of a picture sees the rows of its picture that follow it too. */
  readonly picturesBothWays?: boolean;
  /** Rotation of queries and keys before they meet; absent for layers without positions. */
  readonly rope?: RopeOptions;
}

export interface ExpertsOptions {
  readonly count: number;
  readonly used: number;
  readonly router: Matrix;
  readonly gate?: Matrix;
  readonly up: Matrix;
  readonly down: Matrix;
  readonly activation: Activation;
  /** `softmax` over all experts before the choice, or over the chosen ones only; `sigmoid` scores. */
  readonly scoring: "softmax" | "softmax-chosen" | "sigmoid";
  /** Chosen weights are divided by their sum. */
  readonly normalize: boolean;
  readonly scale?: number;
}

export interface LinearOptions {
  readonly bias?: Vector;
}

export interface Graph {
  /** Before the first layer and after each: what was made last is what they hand on. For those who watch. */
  betweenLayers?(): void;
  /** Rows of the token embedding table. */
  embed(table: Matrix, scale?: number): Value;
  /** Adds a row of a table by position (absolute positions) or by a constant row (token types). */
  embedPosition(x: Value, table: Matrix): Value;
  embedConstant(x: Value, table: Matrix, row: number): Value;
  norm(x: Value, options: NormOptions): Value;
  linear(x: Value, weight: Matrix, options?: LinearOptions): Value;
  add(a: Value, b: Value): Value;
  scale(x: Value, factor: number): Value;
  /** activation(gate) · up; a gate of width 1 counts for the whole row. */
  gated(gate: Value, up: Value, activation: Activation): Value;
  activate(x: Value, activation: Activation): Value;
  /** Rotates q and k, stores k and v in the cache of the layer, and attends. Widths: heads·headWidth, keyHeads·headWidth, keyHeads·valueWidth. */
  attention(q: Value, k: Value, v: Value, options: AttentionOptions): Value;
  experts(x: Value, options: ExpertsOptions): Value;
  /** From here on only the rows whose output was asked for. */
  outputRows(x: Value): Value;
  /** From here on one row for each sequence, the mean of its rows, all of which are in the step. */
  meanRows(x: Value): Value;
  /** The result of the program: logits of the output rows. */
  logits(
    x: Value,
    weight: Matrix,
    options?: { readonly bias?: Vector; readonly scale?: number; readonly softCap?: number },
  ): void;
  /** The result of an encoder: hidden states of all rows. */
  hidden(x: Value): void;
}

/** What encoders of pictures need besides: rows that a step brings along instead of tokens. */
export interface RowsGraph extends Graph {
  /** `width` floats for each row of the step. Before everything else. */
  input(width: number): Value;
  /** From here on the wanted rows, each of them `count` rows that follow each other: side by side, or their mean. */
  joinRows(x: Value, count: number): Value;
  averageRows(x: Value, count: number): Value;
}
