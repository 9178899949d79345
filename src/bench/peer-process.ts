// The peer's process: node-llama-cpp as its own documentation shows it, one sequence for each running request.
import type * as NodeLlamaCpp from "node-llama-cpp";
import type { LlamaContext, LlamaContextSequence, LlamaModel, Token, TokenBias } from "node-llama-cpp";
import { surely } from "./workload.ts";

export type PeerRequest =
  | {
      readonly type: "load";
      readonly id: number;
      readonly module: string;
      readonly modelPath: string;
      readonly contextTokens: number;
      readonly parallel: number;
      readonly threads: number;
      readonly keepHistory?: boolean;
    }
  | {
      readonly type: "generate";
      readonly id: number;
      readonly prompt: number[];
      readonly tokens: number;
      readonly answer?: number | undefined;
    };

export type PeerReply =
  | { readonly type: "token"; readonly id: number }
  | { readonly type: "done"; readonly id: number; readonly residentBytes: number }
  | { readonly type: "failed"; readonly id: number; readonly message: string };

let library: typeof NodeLlamaCpp | undefined;
let model: LlamaModel | undefined;
let keepHistory = false;
let context: LlamaContext | undefined;
const free: LlamaContextSequence[] = [];
const waiting: ((sequence: LlamaContextSequence) => void)[] = [];

async function load(request: Extract<PeerRequest, { type: "load" }>): Promise<void> {
  library = (await import(request.module)) as typeof NodeLlamaCpp;
  keepHistory = request.keepHistory ?? false;
  const llama = await library.getLlama({
    gpu: false,
    build: "never",
    skipDownload: true,
    logLevel: library.LlamaLogLevel.error,
  });
  model = await llama.loadModel({ modelPath: request.modelPath });
  context = await model.createContext({
    contextSize: request.contextTokens,
    sequences: request.parallel,
    threads: request.threads,
  });
  for (let index = 0; index < request.parallel; index++) free.push(context.getSequence());
}

async function generate(request: Extract<PeerRequest, { type: "generate" }>, onToken: () => void): Promise<void> {
  const prompt = request.prompt as Token[];
  const sequence = takeFree(prompt) ?? (await new Promise<LlamaContextSequence>((resolve) => waiting.push(resolve)));
  try {
    // As the library's own chat session does it: what the history has in common with the prompt stays. One token has to
    // be computed all the same, for its logits.
    if (keepHistory) await sequence.adaptStateToTokens(prompt.slice(0, -1), false);
    else await sequence.clearHistory();
    const bias = biasTo(request.answer);
    const options = { temperature: 0, yieldEogToken: true, ...(bias && { tokenBias: bias }) };
    let count = 0;
    for await (const _ of sequence.evaluate(prompt.slice(sequence.nextTokenIndex), options)) {
      onToken();
      count++;
      if (count >= request.tokens) break;
    }
  } finally {
    const next = waiting.shift();
    if (next) next(sequence);
    else free.push(sequence);
  }
}

/** With history, the sequence that has most in common with the prompt: so each user finds their own again. */
function takeFree(prompt: Token[]): LlamaContextSequence | undefined {
  if (!keepHistory) return free.pop();
  const common = free.map((sequence) => sequence.compareContextTokens(prompt).firstDifferentIndex);
  return free.splice(common.indexOf(Math.max(...common)), 1)[0];
}

function biasTo(answer: number | undefined): TokenBias | undefined {
  if (answer === undefined || !library || !model) return undefined;
  return library.TokenBias.for(model).set(answer as Token, { logit: surely });
}

function reply(message: PeerReply): void {
  process.send?.(message);
}

process.on("message", (request: PeerRequest) => {
  const { id } = request;
  const work = request.type === "load" ? load(request) : generate(request, () => reply({ type: "token", id }));
  work.then(
    () => reply({ type: "done", id, residentBytes: process.memoryUsage.rss() }),
    (error: unknown) => reply({ type: "failed", id, message: error instanceof Error ? error.message : String(error) }),
  );
});

process.on("disconnect", () => {
  process.exit(0);
});
