/** One side of the messages between a process and its child, with what goes beside them. */
import { closeSync } from "node:fs";
import { createParcelReader, createParcelWriter } from "./parcel.ts";
import type { Packed } from "./parcel.ts";
import type { HostReply, HostRequest, Taken } from "./protocol.ts";

export interface LinkFiles {
  readonly read: number;
  readonly write: number;
}

export interface Link {
  /** What goes into one message: what the other side can use again, then these. */
  pack<Message extends HostReply | HostRequest>(messages: readonly Message[]): (Packed<Message> | Taken)[];
  /** Throws where a broken process says what is not so. */
  unpack<Message extends object>(message: Packed<Message>): Message;
  /** For a message that nobody waits for. */
  drop(message: Packed<object>): void;
  free(places: readonly number[]): void;
  trim(): void;
  /** `pack` has something to tell that should not wait for the next message. */
  readonly urgent: boolean;
  close(): void;
}

/** The files in which arrays lie: descriptors of the child, which inherits them. */
export const childFiles: LinkFiles = { read: 4, write: 5 };

const carrying: ReadonlySet<string> = new Set<(HostReply | HostRequest)["type"]>([
  "perform",
  "generate",
  "result",
  "part",
]);

/** Without files everything stays in the messages. */
export function createLink(files: LinkFiles | undefined): Link {
  if (!files) return plain;
  const reader = createParcelReader(files.read);
  const writer = createParcelWriter(files.write);
  let closed = false;
  return {
    pack(messages) {
      const places = reader.taken();
      const packed = messages.map((message) => (carrying.has(message.type) ? writer.pack(message) : message));
      return places.length > 0 ? [{ type: "taken", places }, ...packed] : packed;
    },
    unpack: (message) => reader.unpack(message),
    drop: (message) => reader.drop(message),
    free(places) {
      if (!closed) writer.free(places);
    },
    trim: () => writer.trim(),
    get urgent() {
      return reader.urgent;
    },
    close() {
      if (closed) return;
      closed = true;
      closeSync(files.read);
      closeSync(files.write);
    },
  };
}

const plain: Link = {
  pack: (messages) => [...messages],
  unpack: (message) => message,
  drop: () => {},
  free: () => {},
  trim: () => {},
  urgent: false,
  close: () => {},
};
