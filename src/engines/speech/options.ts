import { HearthError } from "../../error.ts";
import type { SpeechFolder } from "../../formats/speech/read.ts";
import type { TranscribeRequest } from "../../spec/perform.ts";

const toldLanguage: ReadonlySet<string> = new Set(["whisper", "sense-voice", "canary"]);

/** Throws `unsupported_option` with details {option} for what the model cannot honour. */
export function checkWishes(folder: SpeechFolder, request: TranscribeRequest): void {
  const { language, translate, prompt, temperature } = request;
  const { kind, main } = folder;
  const english = kind === "whisper" && main.metadata.get("is_multilingual") === "0";
  if (language !== undefined && (english ? language !== "en" : !toldLanguage.has(kind))) {
    throw refused("language", english ? "understands English only" : "cannot be told a language", language);
  }
  if (language !== undefined && !/^[a-z]{2,3}$/.test(language)) {
    throw new HearthError(
      "bad_request",
      `language is ${JSON.stringify(language.slice(0, 20))}; write it like en or de.`,
      {
        details: { field: "language" },
      },
    );
  }
  if (language !== undefined) checkLanguage(folder, language);
  if (translate === true && (english || (kind !== "whisper" && kind !== "canary"))) {
    throw refused("translate", "cannot translate");
  }
  if (prompt !== undefined && prompt.trim() !== "") throw refused("prompt", "takes no prompt");
  if (temperature !== undefined && temperature !== 0) throw refused("temperature", "takes no temperature but 0");
}

function checkLanguage({ kind, main }: SpeechFolder, language: string): void {
  const codes = (main.metadata.get("all_language_codes") ?? "").split(",");
  if (kind !== "whisper" || codes.length < 2 || codes.includes(language)) return;
  throw new HearthError("bad_request", `The model does not know the language "${language}".`, {
    hint: `It knows ${codes.toSorted().join(", ")}.`,
    details: { field: "language" },
  });
}

function refused(option: string, what: string, value = ""): HearthError {
  const said = value === "" ? "" : ` (asked for: ${value.slice(0, 20)})`;
  return new HearthError("unsupported_option", `This model ${what}${said}.`, { details: { option, field: option } });
}
