/** Leaves outputs of a pipeline's models in the runtime that nobody reads. */
import type { PipelineModel } from "./transformers.ts";

interface Session {
  readonly outputNames: readonly string[];
  run(feeds: unknown, names?: readonly string[]): Promise<unknown>;
}

/**
 * Some exports give the attention of every layer. Of Whisper tiny's encoder that is 216 MB for each window, which would be
 * copied out of the runtime. `wants` is asked anew for each run.
 */
export function selectOutputs(model: PipelineModel, wants: (name: string) => boolean): void {
  const { sessions = {} } = model as { readonly sessions?: Readonly<Record<string, unknown>> };
  for (const session of Object.values(sessions).filter(isSession)) {
    const run = session.run.bind(session);
    session.run = async (feeds) => await run(feeds, session.outputNames.filter(wants));
  }
}

function isSession(value: unknown): value is Session {
  return typeof value === "object" && value !== null && "run" in value && "outputNames" in value;
}
