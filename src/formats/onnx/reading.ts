/** A cursor that knows the file's name and the part that is being read, for messages. */
import type { HearthError } from "../../error.ts";
import { malformed } from "../gguf/malformed.ts";
import { WireCursor } from "../protobuf/cursor.ts";
import type { ByteSource } from "../protobuf/source.ts";
import { limits } from "./limits.ts";

export class Reading extends WireCursor {
  readonly name: string;
  /** What is being read: the name of a node or a tensor, as far as it is known. */
  part = "model";
  private depth = 0;

  constructor(source: ByteSource, name: string) {
    super({
      source,
      fail: (problem, offset) => this.fault(problem, offset),
      mostValues: limits.values,
      mostTextBytes: limits.textBytes,
    });
    this.name = name;
  }

  fault(problem: string, offset: number): HearthError {
    return malformed({ name: this.name, field: this.part, offset }, problem);
  }

  /** The name of something. */
  label(): string {
    return this.text(limits.nameBytes);
  }

  /** Reads a graph that is inside another one. */
  deeper<T>(read: () => T): T {
    if (++this.depth > limits.depth) this.fail(`has graphs within graphs, more than ${limits.depth} deep`);
    const value = read();
    this.depth--;
    return value;
  }
}
