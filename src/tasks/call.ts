/** Tasks as functions: the options of every task and the input of this one in one object. */
import type { TaskName, Tasks } from "../spec/perform.ts";
import type { TaskOptions } from "../spec/task.ts";
import type { Hearth } from "./contract.ts";

export type TaskCall<Name extends TaskName> = TaskOptions &
  Tasks[Name]["request"] & {
    /** Called in order with what is there before the result is. */
    readonly onPart?: (part: Tasks[Name]["part"]) => void;
  };

export type TaskFunction<Name extends TaskName> = (call: TaskCall<Name>) => Promise<Tasks[Name]["result"]>;

export function taskFunction<Name extends TaskName>(task: Name, hearth: () => Hearth): TaskFunction<Name> {
  return async ({ model, load, keepAliveMs, tenant, priority, signal, onPart, ...input }) => {
    const { output } = await hearth().perform({
      task,
      model,
      // What is left are the members of the request.
      input: input,
      ...(load && { load }),
      ...(keepAliveMs !== undefined && { keepAliveMs }),
      ...(tenant !== undefined && { tenant }),
      ...(priority && { priority }),
      ...(signal && { signal }),
      ...(onPart && { onPart }),
    });
    return output;
  };
}
