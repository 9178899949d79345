/** What the child process is told besides the model. */
export interface SpeechSetup {
  /** Folder of the pack: its `node_modules` have sherpa-onnx-node, the decoders, and a model of voice activity. */
  readonly pack: string;
}
