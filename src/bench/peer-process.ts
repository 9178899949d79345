// The peer's process: node-llama-cpp as its own documentation shows it, one sequence for each running request.
import type * as NodeLlamaCpp from "node-llama-cpp";
import type { LlamaContext, LlamaContextSequence, LlamaModel, Token } from "node-llama-cpp";

export type PeerRequest =
  | {
      readonly type: "load";
      readonly id: number;
      readonly module: string;
      readonly modelPath: string;
      readonly contextTokens: number;
      readonly parallel: number;
      readonly threads: number;
    }
  | { readonly type: "generate"; readonly id: number; readonly prompt: number[]; readonly tokens: number };

export type PeerReply =
  | { readonly type: "token"; readonly id: number }
  | { readonly type: "done"; readonly id: number; readonly residentBytes: number }
  | { readonly type: "failed"; readonly id: number; readonly message: string };

let model: LlamaModel | undefined;
let context: LlamaContext | undefined;
const free: LlamaContextSequence[] = [];
const waiting: ((sequence: LlamaContextSequence) => void)[] = [];

async function load(request: Extract<PeerRequest, { type: "load" }>): Promise<void> {
  const library = (await import(request.module)) as typeof NodeLlamaCpp;
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
  const sequence = free.pop() ?? (await new Promise<LlamaContextSequence>((resolve) => waiting.push(resolve)));
  try {
    await sequence.clearHistory();
    let count = 0;
    for await (const _ of sequence.evaluate(request.prompt as Token[], { temperature: 0, yieldEogToken: true })) {
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
