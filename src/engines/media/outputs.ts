import { HearthError } from "../../error.ts";

/** The outputs that a request for tensors names, each once. Throws `bad_request` for none and for one that is not there. */
export function chooseOutputs(wanted: readonly string[], ports: readonly { readonly name: string }[]): string[] {
  const known = ports.map(({ name }) => name);
  const unknown = wanted.find((name) => !known.includes(name));
  if (wanted.length > 0 && unknown === undefined) return [...new Set(wanted)];
  const problem = unknown === undefined ? "is empty" : `asks for "${unknown}"`;
  throw new HearthError("bad_request", `outputs ${problem}; the model gives ${known.join(", ")}.`, {
    details: { field: "outputs", outputs: known },
  });
}
