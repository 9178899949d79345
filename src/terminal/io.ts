/** The three streams of a command. Tests hand in their own; `cli.ts` hands in those of the process. */

export interface Output extends NodeJS.WritableStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Input extends NodeJS.ReadableStream {
  readonly isTTY?: boolean;
}

export interface Io {
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
}

/** Everything until end of file, as text. */
export async function readAll(input: Input, signal: AbortSignal): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  const stop = (): void => {
    // Ends the loop below: a read that waits does not look at the signal by itself.
    if ("destroy" in input && typeof input.destroy === "function") input.destroy(signal.reason);
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    signal.throwIfAborted();
    for await (const chunk of input) {
      text += typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
    }
  } finally {
    signal.removeEventListener("abort", stop);
  }
  return text + decoder.decode();
}
