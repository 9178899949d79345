/**
 * The thread that leads: it decides what runs in the next step, computes its share of it like any other worker, chooses
 * tokens, and hands out the results. Commands are looked at between two steps.
 */
import { serializeError } from "../../../error.ts";
import type { GrammarMask } from "../sampling/grammar/mask.ts";
import { createFormats } from "../sampling/format.ts";
import type { Formats } from "../sampling/format.ts";
import { createSampler } from "../sampling/sampler.ts";
import type { Sequence } from "../scheduler/sequence.ts";
import { createSequence, planStep } from "../scheduler/sequence.ts";
import type { Vocabulary } from "../tokenizer/vocabulary.ts";
import { profileRows } from "./profile.ts";
import type { Command, GenerateCommand, Reply } from "./protocol.ts";
import type { Steps } from "./steps.ts";
import { encodeText, scoreText } from "./texts.ts";
import type { Compute } from "./worker.ts";

export interface LeaderOptions {
  readonly compute: Compute;
  readonly steps: Steps;
  readonly vocabulary: Vocabulary;
  readonly reply: (reply: Reply) => void;
  /** Lets the thread see new commands. */
  readonly turn: () => Promise<void>;
  /** Waits for a command. */
  readonly rest: () => Promise<void>;
}

export class Leader {
  readonly #options: LeaderOptions;
  readonly #steps: Steps;
  readonly #sequences: Sequence[] = [];
  readonly #commands: Command[] = [];
  #formats: Formats | undefined;
  #mask: Uint32Array | undefined;
  #stopped = false;
  /** Steps since the last report of the profile. */
  #measured = 0;

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#steps = options.steps;
  }

  push(command: Command): void {
    this.#commands.push(command);
  }

  /** Runs until it is told to stop. Throws what ends all work: after a kernel has failed nothing in memory is certain. */
  async run(): Promise<void> {
    const { turn, rest, compute } = this.#options;
    while (!this.#stopped) {
      for (let command = this.#commands.shift(); command; command = this.#commands.shift()) this.#take(command);
      if (this.#stopped) break;
      if (this.#sequences.length === 0) await rest();
      else {
        this.#step();
        await turn();
      }
    }
    compute.control.stop();
  }

  #take(command: Command): void {
    const { compute, reply } = this.#options;
    try {
      this.#obey(command);
    } catch (error) {
      if (compute.control.failed) throw error;
      if ("id" in command) reply({ type: "error", id: command.id, error: serializeError(error) });
    }
  }

  #obey(command: Command): void {
    const { reply } = this.#options;
    switch (command.type) {
      case "generate":
        return this.#begin(command);
      case "cancel":
        return this.#drop(command.id);
      case "encode": {
        const vectors = command.texts.map((text) => encodeText(this.#steps, text));
        return reply({ type: "vectors", id: command.id, vectors });
      }
      case "score": {
        const logprobs = scoreText(this.#steps, command.tokens, command.from);
        return reply({ type: "logprobs", id: command.id, logprobs });
      }
      case "profile":
        return this.#profile(command.id);
      case "stop":
        this.#stopped = true;
    }
  }

  #begin(command: GenerateCommand): void {
    const { id, slot, prompt, sampling, topLogprobs, format, most } = command;
    const table = this.#steps.tables[slot];
    if (!table) throw new RangeError(`no slot ${slot}`);
    const mask = this.#openFormat(format);
    const sampler = createSampler({
      sampling,
      vocabularySize: this.#steps.width,
      bytesOf: (token) => this.#tokens.tokenBytes(token),
      prompt,
      topLogprobs,
    });
    const sequence = createSequence({ ...command, table, sampler, mask });
    this.#sequences.push(sequence);
    this.#options.reply({ type: "begun", id });
    if (most <= 0) this.#end(sequence, false);
  }

  #openFormat(format: GenerateCommand["format"]): GrammarMask | undefined {
    if (!format || format.type === "text") return undefined;
    this.#formats ??= createFormats(this.#tokens);
    return this.#formats.open(format);
  }

  get #tokens(): Vocabulary {
    return this.#options.vocabulary;
  }

  #drop(id: number): void {
    const sequence = this.#sequences.find((one) => one.id === id);
    if (sequence) this.#end(sequence, false);
  }

  #step(): void {
    const { all, outputs } = this.#steps.plan.capacity;
    const shares = planStep(this.#sequences, { rows: all, outputs });
    this.#steps.run(
      shares.map(({ sequence: { computed, table, pending, adapters }, tokens }) => ({
        tokens,
        position: computed,
        table,
        adapters,
        // The last row of a prompt, or of a part of one, none.
        outputsFrom: tokens.length === pending.length ? tokens.length - 1 : tokens.length,
      })),
    );
    this.#measured++;
    let output = 0;
    for (const { sequence, tokens } of shares) {
      sequence.computed += tokens.length;
      sequence.pending = sequence.pending.slice(tokens.length);
      if (sequence.pending.length === 0) this.#choose(sequence, output++);
    }
  }

  #choose(sequence: Sequence, output: number): void {
    const { reply } = this.#options;
    const { id, sampler, mask, ignoreEos, most } = sequence;
    try {
      const choice = sampler.sample(this.#steps.row(output), mask && this.#allowed(mask));
      const { token } = choice;
      if (this.#tokens.endTokens.has(token) && (!ignoreEos || mask)) return this.#end(sequence, true);
      sampler.accept(token);
      mask?.accept(token);
      sequence.chosen++;
      sequence.pending = [token];
      reply({ type: "token", id, choice });
      if (sequence.chosen >= most) this.#end(sequence, false);
    } catch (error) {
      this.#forget(sequence);
      reply({ type: "error", id, error: serializeError(error) });
    }
  }

  #allowed(mask: GrammarMask): Uint32Array {
    this.#mask ??= new Uint32Array(Math.ceil(this.#steps.width / 32));
    mask.fill(this.#mask);
    return this.#mask;
  }

  #end(sequence: Sequence, ended: boolean): void {
    this.#forget(sequence);
    this.#options.reply({ type: "end", id: sequence.id, ended, computed: sequence.computed });
  }

  #forget(sequence: Sequence): void {
    this.#sequences.splice(this.#sequences.indexOf(sequence), 1);
  }

  #profile(id: number): void {
    const { compute, reply } = this.#options;
    const rows = compute.profile ? profileRows(this.#steps.plan, compute.stageMs) : [];
    reply({ type: "profile", id, steps: this.#measured, rows });
    compute.stageMs.fill(0);
    compute.profile = true;
    this.#measured = 0;
  }
}
