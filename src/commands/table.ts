import type { CommandRow } from "./command.ts";

/** One row per command. This table costs nothing: no module of a command is loaded here. */
export const commandTable: readonly CommandRow[] = [
  {
    name: "run",
    text: "answer a prompt, or open a chat",
    load: async () => (await import("./run.ts")).run,
  },
  {
    name: "serve",
    aliases: ["start"],
    text: "serve the APIs of OpenAI, Ollama and KServe over HTTP",
    load: async () => (await import("./serve.ts")).serve,
  },
  { name: "pull", text: "fetch a model", load: async () => (await import("./pull.ts")).pull },
  {
    name: "list",
    aliases: ["ls"],
    text: "list the models on this machine",
    load: async () => (await import("./list.ts")).list,
  },
  { name: "show", text: "say what a model is and can do", load: async () => (await import("./show.ts")).show },
  { name: "rm", aliases: ["remove"], text: "remove models", load: async () => (await import("./rm.ts")).rm },
  { name: "cp", aliases: ["copy"], text: "give a model a second name", load: async () => (await import("./cp.ts")).cp },
  { name: "ps", text: "list the models that the server has loaded", load: async () => (await import("./ps.ts")).ps },
  {
    name: "top",
    text: "show what the models of the server do, anew every second",
    load: async () => (await import("./top.ts")).top,
  },
  { name: "stop", text: "unload a model of the server", load: async () => (await import("./stop.ts")).stop },
  {
    name: "sleep",
    text: "let an idle model of the server give its memory back until the next request",
    load: async () => (await import("./sleep.ts")).sleep,
  },
  {
    name: "plan",
    text: "say how a model would run here, and whether it fits",
    load: async () => (await import("./plan.ts")).plan,
  },
  {
    name: "transcribe",
    text: "write down what is said in a sound file",
    load: async () => (await import("./transcribe.ts")).transcribe,
  },
  {
    name: "speak",
    text: "say a text, or write it to a WAV file",
    load: async () => (await import("./speak.ts")).speak,
  },
  { name: "embed", text: "turn texts into vectors", load: async () => (await import("./embed.ts")).embed },
  {
    name: "rerank",
    text: "order documents by how well they answer a question",
    load: async () => (await import("./rerank.ts")).rerank,
  },
  {
    name: "classify",
    text: "say what a picture, a sound or a text is",
    load: async () => (await import("./classify.ts")).classify,
  },
  { name: "detect", text: "find objects in a picture", load: async () => (await import("./detect.ts")).detect },
  {
    name: "segment",
    text: "find which pixels of a picture belong to what",
    load: async () => (await import("./segment.ts")).segment,
  },
  {
    name: "pose",
    text: "find joints of people and hands, points of faces",
    load: async () => (await import("./pose.ts")).pose,
  },
  { name: "depth", text: "estimate how near each pixel is", load: async () => (await import("./depth.ts")).depth },
  { name: "ocr", text: "read the text in a picture", load: async () => (await import("./ocr.ts")).ocr },
  { name: "caption", text: "say what a picture shows", load: async () => (await import("./caption.ts")).caption },
  {
    name: "remove-background",
    text: "cut out what a picture shows",
    load: async () => (await import("./remove-background.ts")).removeBackground,
  },
  { name: "upscale", text: "make a picture larger", load: async () => (await import("./upscale.ts")).upscale },
  {
    name: "entities",
    text: "find names of people, places and others in a text",
    load: async () => (await import("./entities.ts")).entities,
  },
  { name: "translate", text: "translate a text", load: async () => (await import("./translate.ts")).translate },
  {
    name: "voice",
    text: "say where somebody speaks in a sound file",
    load: async () => (await import("./voice.ts")).voice,
  },
  {
    name: "diarize",
    text: "say who speaks when in a sound file",
    load: async () => (await import("./diarize.ts")).diarize,
  },
  { name: "infer", text: "run tensors through a model", load: async () => (await import("./infer.ts")).infer },
  {
    name: "convert",
    text: "make a GGUF file of a SafeTensors folder, or the other way round",
    load: async () => (await import("./convert.ts")).convert,
  },
  {
    name: "quantize",
    text: "make a model smaller: fewer bits for each weight",
    load: async () => (await import("./quantize.ts")).quantize,
  },
  {
    name: "prune",
    text: "make a model smaller: fewer layers, heads, channels or weights",
    load: async () => (await import("./prune.ts")).prune,
  },
  {
    name: "distill",
    text: "teach a small model what a larger one says, or which label a text has",
    load: async () => (await import("./distill.ts")).distill,
  },
  {
    name: "imatrix",
    text: "find out which columns of a model's matrices count, for quantize",
    load: async () => (await import("./imatrix.ts")).imatrix,
  },
  {
    name: "eval",
    text: "measure how good a model is: perplexity, divergence from another one, questions",
    load: async () => (await import("./eval.ts")).evaluate,
  },
  { name: "bench", text: "measure how fast a model runs", load: async () => (await import("./bench.ts")).bench },
  {
    name: "doctor",
    text: "look for what is wrong, and say how to mend it",
    load: async () => (await import("./doctor.ts")).doctor,
  },
  {
    name: "verify",
    text: "check that no byte of the models has changed",
    load: async () => (await import("./verify.ts")).verify,
  },
  {
    name: "cache",
    text: "say what is kept of computed prompts on disk, or remove it",
    load: async () => (await import("./cache.ts")).cache,
  },
  {
    name: "engines",
    text: "list, add, remove and update engine packs",
    load: async () => (await import("./engines.ts")).engines,
  },
  { name: "help", text: "explain a command", load: async () => (await import("./help.ts")).help },
  { name: "version", text: "print the version", load: async () => (await import("./version.ts")).version },
];

export function findCommand(name: string): CommandRow | undefined {
  return commandTable.find((row) => row.name === name || row.aliases?.includes(name) === true);
}

export function commandNames(): string[] {
  return commandTable.flatMap((row) => [row.name, ...(row.aliases ?? [])]);
}
