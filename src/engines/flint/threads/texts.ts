/** Texts that are computed and forgotten: hidden states of encoders, and how likely a text is. Pictures too. */
import type { BlockTable } from "../cache/blocks.ts";
import type { EncodeCommand, PictureCommand, Reply, ScoreCommand } from "./protocol.ts";
import type { Scores, ScoringOptions, ScoringPart } from "./scoring.ts";
import { createScoring } from "./scoring.ts";
import type { Steps } from "./steps.ts";

/**
 * Hidden states of all rows of a text, one after the other, or the scores of a model that ranks: one row. All of the text
 * goes into one step.
 */
function encodeText(steps: Steps, tokens: readonly number[]): Float32Array {
  const rows = steps.plan.result.kind === "hidden" ? tokens.length : 1;
  const table = lastTable(steps);
  try {
    steps.run([{ tokens, position: 0, table, outputsFrom: 0, outputsTo: rows }]);
    return copyRows(steps, rows);
  } finally {
    table.truncate(0);
  }
}

/** The results of a step whose rows bring their inputs along. */
function encodeRows(steps: Steps, { rows, outputs, ...brought }: PictureCommand): Float32Array {
  const table = lastTable(steps);
  try {
    const tokens = Array.from({ length: rows }, () => 0);
    steps.run([{ tokens, position: 0, table, outputsFrom: 0, outputsTo: outputs }], brought);
    return copyRows(steps, outputs);
  } finally {
    table.truncate(0);
  }
}

/** One step for each text, or for the picture; yields the rows of each. */
export function* encodeAll(steps: Steps, command: EncodeCommand | PictureCommand): Generator<number, Reply, undefined> {
  const { id } = command;
  const vectors: Float32Array[] = [];
  if (command.type === "picture") {
    vectors.push(encodeRows(steps, command));
    yield command.rows;
  } else {
    for (const text of command.texts) {
      vectors.push(encodeText(steps, text));
      yield text.length;
    }
  }
  return { type: "vectors", id, vectors };
}

export function tokensOf(command: EncodeCommand | PictureCommand | ScoreCommand): number {
  switch (command.type) {
    case "encode":
      return command.texts.reduce((sum, { length }) => sum + length, 0);
    case "picture":
      return command.rows;
    case "score":
      return command.tokens.length;
  }
}

function copyRows(steps: Steps, rows: number): Float32Array {
  const all = new Float32Array(rows * steps.width);
  for (let row = 0; row < rows; row++) all.set(steps.row(row), row * steps.width);
  return all;
}

export interface ScoreOptions extends ScoringOptions {
  /** Scale of each loaded adapter; absent: those of the load. */
  readonly adapters?: readonly number[] | undefined;
  /** Most rows of a step; 1: one token after the other, as an answer is computed. */
  readonly stepRows?: number | undefined;
}

export interface ScoreWork extends ScoreOptions {
  /** Most rows of the next part. Default: as many as a step has. */
  readonly rows?: () => number;
}

/**
 * Scores a text, one part of it in a step for each turn of the generator, which yields the rows of that step; between them
 * other steps may run. Only one text at a time: it holds the last table until the generator has ended or was told to
 * `return`.
 */
export function* scoreText(steps: Steps, work: ScoreWork): Generator<number, Scores, undefined> {
  const { all, outputs } = steps.plan.capacity;
  const { adapters, stepRows = all, rows = () => all } = work;
  const scoring = createScoring(work);
  const table = lastTable(steps);
  const next = (): ScoringPart | undefined =>
    scoring.next({ rows: Math.max(1, Math.min(all, stepRows, rows())), outputs });
  try {
    for (let part = next(); part; part = next()) {
      const { tokens, position } = part;
      steps.run([{ tokens, position, table, adapters, outputsFrom: tokens.length - part.outputs }]);
      scoring.take(part, (output) => steps.row(output));
      yield tokens.length;
    }
    return scoring.scores;
  } finally {
    table.truncate(0);
  }
}

/** It is kept for this. */
function lastTable({ tables }: Steps): BlockTable {
  const table = tables.at(-1);
  if (!table) throw new RangeError("no table");
  return table;
}
