/**
 * The thread that leads: it decides what runs in the next step, computes its share of it like any other worker, chooses
 * tokens, and hands out the results. Commands are looked at between two steps.
 */
import { HearthError, serializeError } from "../../../error.ts";
import type { GgufFile } from "../../../formats/gguf/types.ts";
import { BlockPool, BlockTable } from "../cache/blocks.ts";
import type { Plan } from "../graph/plan.ts";
import { frequenciesOf } from "../graph/rope-table.ts";
import type { GrammarMask } from "../sampling/grammar/mask.ts";
import { createFormats } from "../sampling/format.ts";
import type { Formats } from "../sampling/format.ts";
import { logprobsOf } from "../sampling/logprobs.ts";
import { createSampler } from "../sampling/sampler.ts";
import type { BatchPart } from "../scheduler/batch.ts";
import { BatchWriter } from "../scheduler/batch.ts";
import type { Sequence } from "../scheduler/sequence.ts";
import { createSequence, planStep } from "../scheduler/sequence.ts";
import { createGgufTokenizer } from "../tokenizer/gguf.ts";
import type { Tokenizer } from "../tokenizer/contract.ts";
import { toFloat32 } from "../weights/codecs/float.ts";
import { profileRows } from "./profile.ts";
import type { Command, GenerateCommand, Reply } from "./protocol.ts";
import type { Compute, WorkerSetup } from "./worker.ts";
import type { ReadFile } from "./load.ts";
import { ggmlType, tensorBytes } from "../../../formats/gguf/ggml.ts";

export interface LeaderOptions {
  readonly setup: WorkerSetup;
  readonly compute: Compute;
  readonly file: GgufFile;
  readonly read: ReadFile;
  readonly reply: (reply: Reply) => void;
  /** Lets the thread see new commands. */
  readonly turn: () => Promise<void>;
  /** Waits for a command. */
  readonly rest: () => Promise<void>;
}

export class Leader {
  readonly #options: LeaderOptions;
  readonly #plan: Plan;
  readonly #floats: Float32Array;
  readonly #writer: BatchWriter;
  readonly #pool: BlockPool;
  readonly #tables: readonly BlockTable[];
  readonly #sequences: Sequence[] = [];
  readonly #commands: Command[] = [];
  #tokenizer: Tokenizer | undefined;
  #formats: Formats | undefined;
  #mask: Uint32Array | undefined;
  #stopped = false;
  #steps = 0;

  constructor(options: LeaderOptions) {
    const { setup, file, read } = options;
    const { plan, memory } = setup;
    this.#options = options;
    this.#plan = plan;
    this.#floats = new Float32Array(memory.buffer);
    this.#writer = new BatchWriter(plan, memory, ropeFrequencies(plan, file, read));
    this.#pool = new BlockPool(plan.cacheBlocks);
    const count = Math.floor((plan.scratch - plan.blockTables) / (plan.tableBlocks * 4));
    this.#tables = Array.from(
      { length: count },
      (_, index) => new BlockTable(this.#pool, memory, plan.blockTables + index * plan.tableBlocks * 4),
    );
  }

  push(command: Command): void {
    this.#commands.push(command);
  }

  /** Runs until it is told to stop. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      for (let command = this.#commands.shift(); command; command = this.#commands.shift()) this.#take(command);
      if (this.#stopped) break;
      if (this.#sequences.length === 0) await this.#options.rest();
      else {
        this.#step();
        await this.#options.turn();
      }
    }
    this.#options.compute.control.stop();
  }

  #take(command: Command): void {
    const { reply } = this.#options;
    try {
      switch (command.type) {
        case "generate":
          this.#begin(command);
          break;
        case "cancel":
          this.#drop(command.id);
          break;
        case "encode":
          reply({ type: "vectors", id: command.id, vectors: command.texts.map((text) => this.#encode(text)) });
          break;
        case "score":
          reply({ type: "logprobs", id: command.id, logprobs: this.#score(command.tokens, command.from) });
          break;
        case "profile":
          this.#profile(command.id);
          break;
        case "stop":
          this.#stopped = true;
          break;
      }
    } catch (error) {
      if ("id" in command) reply({ type: "error", id: command.id, error: serializeError(error) });
    }
  }

  #begin(command: GenerateCommand): void {
    const table = this.#tables[command.slot];
    if (!table) throw new RangeError(`no slot ${command.slot}`);
    const { prompt, sampling, topLogprobs, format } = command;
    const mask = this.#openFormat(format);
    const sampler = createSampler({
      sampling,
      vocabularySize: this.#width,
      bytesOf: (token) => this.#tokens.tokenBytes(token),
      prompt,
      topLogprobs,
    });
    this.#sequences.push(createSequence({ ...command, table, sampler, mask }));
  }

  #openFormat(format: GenerateCommand["format"]): ReturnType<Formats["open"]> {
    if (!format || format.type === "text") return undefined;
    const tokenizer = this.#tokens;
    this.#formats ??= createFormats({
      size: this.#width,
      bytesOf: (token: number) => tokenizer.tokenBytes(token),
      isControl: (token: number) => tokenizer.isControl(token),
      endTokens: tokenizer.endTokens,
    });
    return this.#formats.open(format);
  }

  get #tokens(): Tokenizer {
    return (this.#tokenizer ??= createGgufTokenizer(this.#options.file.metadata));
  }

  /** Length of a row of results. */
  get #width(): number {
    return this.#plan.values[this.#plan.result.value]?.width ?? 0;
  }

  #drop(id: number): void {
    const index = this.#sequences.findIndex((sequence) => sequence.id === id);
    const sequence = this.#sequences[index];
    if (!sequence) return;
    this.#sequences.splice(index, 1);
    this.#options.reply({ type: "end", id, ended: false, computed: sequence.computed });
  }

  #step(): void {
    const { all, outputs } = this.#plan.capacity;
    const shares = planStep(this.#sequences, { rows: all, outputs });
    try {
      for (const { sequence, tokens } of shares) sequence.table.reserve(sequence.computed + tokens.length);
      this.#compute(
        shares.map(({ sequence, tokens }) => ({
          tokens,
          position: sequence.computed,
          table: sequence.table,
          outputsFrom: tokens.length === sequence.pending.length ? tokens.length - 1 : tokens.length,
        })),
      );
    } catch (error) {
      this.#failAll(error);
      return;
    }
    let output = 0;
    for (const { sequence, tokens } of shares) {
      sequence.computed += tokens.length;
      sequence.pending = sequence.pending.slice(tokens.length);
      if (sequence.pending.length === 0) this.#choose(sequence, output++);
    }
  }

  /** Runs a step over the parts; its results are in memory when this returns. */
  #compute(parts: readonly BatchPart[]): void {
    const { compute } = this.#options;
    this.#writer.write(parts);
    compute.runStep(compute.control.begin());
    this.#steps++;
    if (compute.control.failed) throw new HearthError("engine_failed", "A kernel of flint failed.");
  }

  #choose(sequence: Sequence, output: number): void {
    const { reply } = this.#options;
    const { id, sampler, mask, ignoreEos, most } = sequence;
    try {
      const choice = sampler.sample(this.#row(output), mask && this.#allowed(mask));
      const { token } = choice;
      if (this.#tokens.endTokens.has(token) && (!ignoreEos || mask)) {
        this.#end(sequence, true);
        return;
      }
      sampler.accept(token);
      mask?.accept(token);
      sequence.chosen++;
      sequence.pending = [token];
      reply({ type: "token", id, choice });
      if (sequence.chosen >= most) this.#end(sequence, false);
    } catch (error) {
      this.#sequences.splice(this.#sequences.indexOf(sequence), 1);
      reply({ type: "error", id, error: serializeError(error) });
    }
  }

  #allowed(mask: GrammarMask): Uint32Array {
    this.#mask ??= new Uint32Array(Math.ceil(this.#width / 32));
    mask.fill(this.#mask);
    return this.#mask;
  }

  #end(sequence: Sequence, ended: boolean): void {
    this.#sequences.splice(this.#sequences.indexOf(sequence), 1);
    this.#options.reply({ type: "end", id: sequence.id, ended, computed: sequence.computed });
  }

  #failAll(error: unknown): void {
    for (const { id } of this.#sequences.splice(0)) {
      this.#options.reply({ type: "error", id, error: serializeError(error) });
    }
  }

  #row(index: number): Float32Array {
    const value = this.#plan.values[this.#plan.result.value];
    if (!value) throw new RangeError("no result");
    const start = (value.address + index * value.stride) / 4;
    return this.#floats.subarray(start, start + value.width);
  }

  /** The last table is kept for texts that are computed at once and forgotten. */
  get #scratchTable(): BlockTable {
    const table = this.#tables.at(-1);
    if (!table) throw new RangeError("no table");
    return table;
  }

  /** Hidden states of all rows of a text, one row after the other. */
  #encode(tokens: readonly number[]): Float32Array {
    const table = this.#scratchTable;
    table.reserve(tokens.length);
    this.#compute([{ tokens, position: 0, table, outputsFrom: 0 }]);
    const width = this.#width;
    const all = new Float32Array(tokens.length * width);
    tokens.forEach((_, row) => all.set(this.#row(row), row * width));
    table.truncate(0);
    return all;
  }

  /** Logarithm of the probability of each token from `from` on, given those before it. */
  #score(tokens: readonly number[], from: number): Float32Array {
    const table = this.#scratchTable;
    const result = new Float32Array(Math.max(0, tokens.length - from));
    const { all, outputs } = this.#plan.capacity;
    for (let at = 0; at < tokens.length - 1; ) {
      const scored = at + 1 >= from;
      const end = Math.min(tokens.length - 1, at + (scored ? Math.min(all, outputs) : Math.min(all, from - 1 - at)));
      table.reserve(end);
      this.#compute([{ tokens: tokens.slice(at, end), position: at, table, outputsFrom: scored ? 0 : end - at }]);
      for (let row = at; scored && row < end; row++) {
        result[row + 1 - from] = logprobsOf(this.#row(row - at), tokens[row + 1] ?? 0, 0).logprob;
      }
      at = end;
    }
    table.truncate(0);
    return result;
  }

  #profile(id: number): void {
    const { compute, reply } = this.#options;
    reply({ type: "profile", id, steps: this.#steps, rows: compute.profile ? profileRows(this.#plan, compute.stageMs) : [] });
    compute.stageMs.fill(0);
    compute.profile = true;
    this.#steps = 0;
  }

  /** Bytes of the KV cache that were ever written. */
  get cacheBytes(): number {
    return this.#pool.touched * this.#plan.cacheBlockBytes;
  }
}

function ropeFrequencies(plan: Plan, file: GgufFile, read: ReadFile): ReturnType<typeof frequenciesOf>[] {
  return plan.ropes.map((rope) => frequenciesOf(rope, rope.factors && readVector(file, rope.factors.name, read)));
}

function readVector(file: GgufFile, name: string, read: ReadFile): Float32Array {
  const tensor = file.tensors.find((one) => one.name === name);
  const length = tensor?.shape[0] ?? 0;
  const values = new Float32Array(length);
  if (!tensor) return values;
  const bytes = new Uint8Array(tensorBytes(ggmlType(tensor.typeName), [length]));
  read(file.dataOffset + tensor.offset, bytes);
  toFloat32(tensor.typeName, bytes, values);
  return values;
}

