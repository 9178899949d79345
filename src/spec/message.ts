/** Chat messages and tools, as every dialect is translated to. */

export type TextPart = { readonly type: "text"; readonly text: string };
/** `data` holds the decoded bytes of an upload or data URL; remote URLs never get this far. */
export type ImagePart = { readonly type: "image"; readonly mediaType: string; readonly data: Uint8Array };
export type AudioPart = { readonly type: "audio"; readonly mediaType: string; readonly data: Uint8Array };
export type ContentPart = TextPart | ImagePart | AudioPart;

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON text of the arguments object. */
  readonly arguments: string;
}

export type Message =
  | { readonly role: "system"; readonly content: string | readonly ContentPart[] }
  | { readonly role: "user"; readonly content: string | readonly ContentPart[] }
  | {
      readonly role: "assistant";
      readonly content: string | readonly ContentPart[];
      readonly reasoning?: string;
      readonly toolCalls?: readonly ToolCall[];
    }
  | {
      readonly role: "tool";
      readonly content: string | readonly ContentPart[];
      readonly toolCallId?: string;
      readonly name?: string;
    };

export type JsonSchema = { readonly [keyword: string]: unknown };

export interface Tool {
  readonly name: string;
  readonly description?: string;
  /** JSON schema of the arguments object. */
  readonly parameters: JsonSchema;
}

export type ToolChoice = "auto" | "none" | "required" | { readonly name: string };

/** The text of a message; images and audio are left out. */
export function messageText(content: string | readonly ContentPart[]): string {
  if (typeof content === "string") return content;
  return content.map((part) => (part.type === "text" ? part.text : "")).join("");
}
