// A process that loads each model of its arguments in node-llama-cpp and uses it a little. Prints `start PATH` and
// `end PATH OUTCOME` for each, so that its parent knows which one killed it.
import { getLlama, LlamaLogLevel } from "node-llama-cpp";
import type { Llama } from "node-llama-cpp";

const text = 'Hello, wörld 🦙! {"a": 1}\n<|im_start|>';

async function use(llama: Llama, path: string): Promise<string> {
  const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
  try {
    const options = { contextSize: 64, batchSize: 64, threads: 1 };
    const architecture: string = model.fileInfo.metadata.general.architecture;
    if (architecture === "bert") {
      const context = await model.createEmbeddingContext(options);
      const { vector } = await context.getEmbeddingFor(text);
      return `embedded ${vector.length}`;
    }
    const context = await model.createContext(options);
    const tokens = model.tokenize(text, true).slice(0, 32);
    const answer: number[] = [];
    for await (const token of context.getSequence().evaluate(tokens, { temperature: 0 })) {
      answer.push(token);
      if (answer.length === 4) break;
    }
    return `generated ${model.detokenize(model.tokenize(text)).length} ${answer.length}`;
  } finally {
    await model.dispose();
  }
}

const llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.disabled, maxThreads: 1 });
for (const path of process.argv.slice(2)) {
  process.stdout.write(`start ${path}\n`);
  const outcome = await use(llama, path).catch((error: unknown) => `refused: ${String(error).split("\n")[0]}`);
  process.stdout.write(`end ${path} ${outcome}\n`);
}
process.exit(0);
