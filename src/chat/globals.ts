import { HearthError } from "../error.ts";
import { stopped } from "./limits.ts";
import type { RenderLimits } from "./limits.ts";

/** What `raise_exception` of a template throws: the template rejects the messages. */
export class TemplateRaised extends Error {
  override readonly name = "TemplateRaised";
}

/** The functions and constants that chat templates expect besides their variables. */
export function templateGlobals(limits: RenderLimits, now: Date): Readonly<Record<string, unknown>> {
  return {
    true: true,
    True: true,
    false: false,
    False: false,
    none: null,
    None: null,
    raise_exception: (message: unknown): never => {
      throw new TemplateRaised(typeof message === "string" ? message : "no reason given");
    },
    strftime_now: (format: unknown): string => strftime(now, typeof format === "string" ? format : ""),
    range: (...args: unknown[]): number[] => range(args, limits.items),
  };
}

function range(args: readonly unknown[], most: number): number[] {
  const numbers = args.filter((value) => typeof value === "number");
  const [first = 0, second, step = 1] = numbers;
  const [start, end] = second === undefined ? [0, first] : [first, second];
  if (step === 0) throw new HearthError("template_failed", "The chat template calls range() with step 0.");
  const length = Math.max(0, Math.ceil((end - start) / step));
  if (!(length <= most)) throw stopped(`it made a list of more than ${most} items`);
  return Array.from({ length }, (_, index) => start + index * step);
}

const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** The directives of Python's `strftime` that templates use, with English names as in the C locale. */
export function strftime(date: Date, format: string): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const month = months[date.getMonth()] ?? "";
  const day = days[date.getDay()] ?? "";
  const values: Readonly<Record<string, string>> = {
    Y: String(date.getFullYear()),
    y: two(date.getFullYear() % 100),
    m: two(date.getMonth() + 1),
    d: two(date.getDate()),
    e: String(date.getDate()).padStart(2, " "),
    H: two(date.getHours()),
    I: two(date.getHours() % 12 || 12),
    p: date.getHours() < 12 ? "AM" : "PM",
    M: two(date.getMinutes()),
    S: two(date.getSeconds()),
    B: month,
    b: month.slice(0, 3),
    A: day,
    a: day.slice(0, 3),
    "%": "%",
  };
  return format.replaceAll(/%(.)/g, (directive, letter: string) => values[letter] ?? directive);
}
