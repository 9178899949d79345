import { HearthError } from "../error.ts";
import type { Lease } from "../runtime/contract.ts";
import type { Capability } from "../spec/model.ts";

/** What a capability is called in a sentence. */
const verbs: Readonly<Record<Capability, string>> = {
  generate: "generate text",
  chat: "chat",
  tools: "call tools",
  thinking: "think before it answers",
  insert: "fill in the middle of a text",
  vision: "see images",
  embed: "embed texts",
  rerank: "rerank documents",
  infer: "run tensors",
  "embed-image": "embed images",
  classify: "classify",
  tokens: "find entities",
  detect: "detect objects",
  segment: "segment images",
  depth: "estimate depth",
  pose: "find poses",
  ocr: "read text in images",
  caption: "describe images",
  "remove-background": "remove backgrounds",
  upscale: "upscale images",
  transcribe: "transcribe speech",
  translate: "translate",
  speak: "speak",
  diarize: "tell speakers apart",
  voice: "find speech",
};

/** The error for a model that cannot do something; says what it can do. */
export function unable(model: string, wanted: Capability, can: readonly Capability[], hint?: string): HearthError {
  const list = can.map((name) => verbs[name]).join(", ");
  const does = list === "" ? "" : `; it can ${list}`;
  return new HearthError("unsupported_capability", `Model "${model}" cannot ${verbs[wanted]}${does}.`, {
    hint,
    details: { model, capability: wanted, capabilities: can },
  });
}

/** The method of the loaded model, or `unsupported_capability`. */
export function need<Name extends "generate" | "embed" | "rerank">(
  { model, info, loaded }: Lease,
  name: Name,
): NonNullable<Lease["loaded"][Name]> {
  const method = loaded[name];
  if (!method || !loaded.capabilities.includes(name)) {
    const can = loaded.capabilities.length > 0 ? loaded.capabilities : info.capabilities;
    throw unable(model.name, name, can);
  }
  return method.bind(loaded) as NonNullable<Lease["loaded"][Name]>;
}
