/**
 * The thread that leads: it decides what runs in the next step, computes its share of it like any other worker, chooses
 * tokens, and hands out the results. Commands are looked at between two steps.
 */
import { HearthError, serializeError } from "../../../error.ts";
import type { Priority } from "../../../spec/engine.ts";
import { createFormats } from "../sampling/format.ts";
import type { Formats } from "../sampling/format.ts";
import type { GrammarMask } from "../sampling/grammar/mask.ts";
import { onlyTokens } from "../pictures/names.ts";
import { createSampler } from "../sampling/sampler.ts";
import type { Generation } from "../scheduler/generation.ts";
import { chosenOf, createGeneration } from "../scheduler/generation.ts";
import type { Share } from "../scheduler/scheduler.ts";
import { Scheduler } from "../scheduler/scheduler.ts";
import { Lookup } from "../../../util/speculation/lookup.ts";
import { Pace } from "../../../util/speculation/pace.ts";
import type { Vocabulary } from "../tokenizer/vocabulary.ts";
import type { Counters } from "./counters.ts";
import type { Draft } from "./draft.ts";
import { profileRows } from "./profile.ts";
import type { Command, EncodeCommand, GenerateCommand, PictureCommand, Reply, ScoreCommand } from "./protocol.ts";
import { speculate } from "./speculate.ts";
import type { Steps } from "./steps.ts";
import { encodeAll, scoreText, tokensOf } from "./texts.ts";
import type { Compute } from "./worker.ts";

export interface LeaderOptions {
  readonly compute: Compute;
  readonly steps: Steps;
  readonly vocabulary: Vocabulary;
  readonly counters: Counters;
  /** Whether tokens are guessed ahead. */
  readonly speculation: boolean;
  /** A second model that guesses. */
  readonly draft?: Draft | undefined;
  readonly reply: (reply: Reply) => void;
  /** Lets the thread see new commands. */
  readonly turn: () => Promise<void>;
  /** Waits for a command. */
  readonly rest: () => Promise<void>;
}

/** A text that is computed and forgotten, part by part. */
interface Text {
  readonly id: number;
  readonly priority: Priority;
  /** Yields the rows of each step that it has run. */
  readonly work: Generator<number, Reply, undefined>;
  begun: boolean;
}

/** Time for blocks that are not kept outside memory yet, when the model is unloaded. */
const farewellMs = 1000;
/** While requests run, keeping a block takes at most this part of a step's time. */
const keepShare = 20;

export class Leader {
  readonly #options: LeaderOptions;
  readonly #steps: Steps;
  readonly #scheduler: Scheduler<Generation>;
  readonly #pace = new Pace();
  readonly #commands: Command[] = [];
  /** One after the other: they use the same table. */
  readonly #texts: Text[] = [];
  #formats: Formats | undefined;
  #mask: Uint32Array | undefined;
  #stopped = false;
  /** What the last step took, and keeping the last block. */
  #stepMs = 0;
  #keepMs = 0;
  /** Steps since the last report of the profile. */
  #measured = 0;

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#steps = options.steps;
    const { cache, cacheMemory: memory, plan } = options.steps;
    // The last table is for texts that are computed and forgotten.
    this.#scheduler = new Scheduler({
      cache,
      memory,
      sequences: Math.max(1, plan.sequences - 1),
      wholePictures: plan.attentions.some(({ picturesBothWays }) => picturesBothWays),
    });
    this.#count();
  }

  push(command: Command): void {
    this.#commands.push(command);
  }

  /** Runs until it is told to stop. Throws what ends all work: after a kernel has failed nothing in memory is certain. */
  async run(): Promise<void> {
    const { turn, rest, compute, reply } = this.#options;
    while (!this.#stopped) {
      for (let command = this.#commands.shift(); command; command = this.#commands.shift()) this.#take(command);
      if (this.#stopped) break;
      const busy = this.#scheduler.running.length + this.#scheduler.waiting > 0;
      if (busy) this.#step();
      if (busy && (this.#keepMs *= 0.99) * keepShare < this.#stepMs) this.#keepOne();
      if (this.#continueText(busy) || busy || this.#keepOne()) await turn();
      else await rest();
    }
    this.#steps.cache.finish();
    for (const end = performance.now() + farewellMs; performance.now() < end && this.#keepOne(););
    compute.control.stop();
    reply({ type: "stopped" });
  }

  /** Keeps a block outside memory; false: there is none left to keep. */
  #keepOne(): boolean {
    const { cache, cacheMemory } = this.#steps;
    const [block] = cache.fresh;
    if (!block) return false;
    const started = performance.now();
    cache.fresh.delete(block);
    cacheMemory.save(block);
    this.#keepMs = performance.now() - started;
    return true;
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
    switch (command.type) {
      case "generate":
        return this.#begin(command);
      case "cancel":
        return this.#drop(command.id);
      case "encode":
      case "picture":
        return this.#add(command, encodeAll(this.#steps, command));
      case "score":
        return this.#add(command, this.#score(command));
      case "profile":
        return this.#profile(command.id);
      case "stop":
        this.#stopped = true;
    }
  }

  #add(command: EncodeCommand | PictureCommand | ScoreCommand, work: Text["work"]): void {
    const priority = command.type === "score" ? command.priority : "interactive";
    // Interactive ones first; what has begun holds the table.
    const index = priority === "batch" ? -1 : this.#texts.findIndex((text) => text.priority === "batch" && !text.begun);
    this.#texts.splice(index < 0 ? this.#texts.length : index, 0, { id: command.id, priority, work, begun: false });
    this.#options.counters.add("promptTokens", tokensOf(command));
    this.#count();
  }

  *#score(command: ScoreCommand): Text["work"] {
    const rows = (): number => {
      const { length } = this.#scheduler.running;
      return length > 0 ? this.#pace.promptRows(length) : Infinity;
    };
    const scores = yield* scoreText(this.#steps, { ...command, rows });
    return { type: "scores", id: command.id, scores };
  }

  /** A part of a text that is computed and forgotten: between two steps, or where nothing else runs. False: there is none. */
  #continueText(busy: boolean): boolean {
    const text = this.#texts.find(({ begun }) => begun) ?? this.#texts[0];
    if (!text || (busy && text.priority === "batch")) return false;
    const { id, work } = text;
    text.begun = true;
    try {
      const { done, value } = work.next();
      if (done) this.#endText(text, value);
      else {
        this.#countStep(value);
        this.#count();
      }
    } catch (error) {
      if (this.#options.compute.control.failed) throw error;
      this.#endText(text, { type: "error", id, error: serializeError(error) });
    }
    return true;
  }

  #endText(text: Text, reply: Reply): void {
    this.#texts.splice(this.#texts.indexOf(text), 1);
    text.work.return(reply);
    this.#count();
    this.#options.reply(reply);
  }

  #begin(command: GenerateCommand): void {
    const { sampling, topLogprobs, format, pictures } = command;
    const prompt = onlyTokens(command.prompt);
    const mask = this.#openFormat(format);
    const sampler = createSampler({
      sampling,
      vocabularySize: this.#steps.width,
      bytesOf: (token) => this.#tokens.tokenBytes(token),
      prompt,
      topLogprobs,
    });
    const lookup = this.#options.speculation ? new Lookup(prompt) : undefined;
    const seen = pictures && this.#steps.takePictures(pictures, command.prompt);
    this.#scheduler.add(createGeneration({ ...command, sampler, mask, lookup, ...seen }));
    this.#options.counters.add("promptTokens", command.prompt.length);
    this.#count();
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
    const sequence = this.#scheduler.find(id);
    if (sequence) return this.#end(sequence, false);
    const text = this.#texts.find((one) => one.id === id);
    if (text) this.#endText(text, { type: "end", id, ended: false });
  }

  #step(): void {
    const { all: rows, outputs } = this.#steps.plan.capacity;
    const { speculation, draft, reply } = this.#options;
    if (speculation) speculate(this.#scheduler.running, { pace: this.#pace, draft });
    const { shares, admitted } = this.#scheduler.plan({
      rows,
      outputs,
      promptRows: (others, prompts) => this.#pace.promptRows(others, prompts),
    });
    for (const sequence of admitted) {
      reply({ type: "begun", id: sequence.id });
      this.#options.counters.add("restoredTokens", sequence.restoredTokens);
    }
    if (shares.length === 0) this.#refuseFirst();
    else this.#compute(shares);
    this.#count();
  }

  /** Nothing could run, and nobody is there who could make room. */
  #refuseFirst(): void {
    const [sequence] = this.#scheduler.running;
    if (!sequence) return;
    this.#fail(
      sequence,
      new HearthError("out_of_memory", `The KV cache has no room for ${sequence.tokens.length} tokens.`, {
        hint: "Give it more room (--cache-tokens), or send a shorter prompt.",
      }),
    );
  }

  #compute(shares: readonly Share<Generation>[]): void {
    const started = performance.now();
    this.#steps.run(
      shares.flatMap(({ sequence: { computed, held, adapters, rowOf, placeOf }, tokens, outputs }) =>
        held
          ? [
              {
                tokens,
                rowOf,
                placeOf,
                position: computed,
                table: this.#steps.tableOf(held),
                adapters,
                outputsFrom: tokens.length - outputs,
              },
            ]
          : [],
      ),
    );
    const rows = shares.reduce((sum, { tokens }) => sum + tokens.length, 0);
    this.#stepMs = performance.now() - started;
    this.#pace.record(rows, this.#stepMs);
    this.#measured++;
    this.#countStep(rows);
    let output = 0;
    for (const share of shares) {
      this.#absorb(share, output);
      output += share.outputs;
    }
  }

  /** What the step has brought for one sequence: the rows of its outputs begin at `output`. */
  #absorb(share: Share<Generation>, output: number): void {
    const { sequence, tokens, outputs } = share;
    const guesses = tokens.slice(tokens.length - outputs + 1);
    this.#scheduler.advance(share, tokens.length - Math.max(0, outputs - 1));
    if (outputs > 0) {
      if (chosenOf(sequence) === 0) this.#prompted(sequence);
      let right = 0;
      while (this.#choose(sequence, output + right) && guesses[right] === sequence.tokens.at(-1)) {
        right++;
        sequence.computed++;
      }
      this.#learn(sequence, guesses.length, right);
    }
    this.#scheduler.settle(sequence);
  }

  #learn({ trust, draftKind }: Generation, guessed: number, right: number): void {
    trust.learn(draftKind, guessed, right);
    this.#options.counters.add("draftedTokens", guessed);
    this.#options.counters.add("acceptedTokens", right);
  }

  #prompted({ id, cachedTokens }: Generation): void {
    this.#options.counters.add("cachedTokens", cachedTokens);
    this.#options.reply({ type: "prompted", id, cachedTokens });
  }

  /** Chooses a token by a row of results. False: the sequence has come to its end. */
  #choose(sequence: Generation, output: number): boolean {
    const { id, sampler, mask, ignoreEos, most, lookup } = sequence;
    try {
      const choice = most > 0 ? sampler.sample(this.#steps.row(output), mask && this.#allowed(mask)) : undefined;
      if (!choice || (this.#tokens.endTokens.has(choice.token) && (!ignoreEos || mask))) {
        this.#end(sequence, choice !== undefined);
        return false;
      }
      const { token } = choice;
      sampler.accept(token);
      mask?.accept(token);
      lookup?.push(token);
      sequence.tokens.push(token);
      this.#options.counters.add("generatedTokens", 1);
      this.#options.reply({ type: "token", id, choice });
      if (chosenOf(sequence) < most) return true;
      this.#end(sequence, false);
    } catch (error) {
      this.#fail(sequence, error);
    }
    return false;
  }

  #allowed(mask: GrammarMask): Uint32Array {
    this.#mask ??= new Uint32Array(Math.ceil(this.#steps.width / 32));
    mask.fill(this.#mask);
    return this.#mask;
  }

  #end(sequence: Generation, ended: boolean): void {
    this.#scheduler.remove(sequence);
    this.#count();
    this.#options.reply({ type: "end", id: sequence.id, ended });
  }

  #fail(sequence: Generation, error: unknown): void {
    this.#scheduler.remove(sequence);
    this.#count();
    this.#options.reply({ type: "error", id: sequence.id, error: serializeError(error) });
  }

  #countStep(rows: number): void {
    this.#options.counters.add("steps", 1);
    this.#options.counters.add("stepTokens", rows);
  }

  #count(): void {
    const { counters } = this.#options;
    const { cache, plan, storeBytes } = this.#steps;
    const { running, waiting, preemptions } = this.#scheduler;
    const begun = this.#texts.filter((text) => text.begun).length;
    counters.set("running", running.length + begun);
    counters.set("waiting", waiting + this.#texts.length - begun);
    counters.set("preemptions", preemptions);
    counters.set("blocks", plan.cacheGroups[0]?.blocks ?? 0);
    counters.set("usedBlocks", cache.used);
    counters.set("cachedBlocks", cache.cached);
    counters.set("diskBytes", storeBytes);
    const bytes = plan.cacheGroups.map(({ blockBytes }, group) => blockBytes * cache.touched(group));
    counters.set(
      "cacheBytes",
      bytes.reduce((sum, one) => sum + one, 0),
    );
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
