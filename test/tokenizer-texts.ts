// Seeded texts that are hard on tokenizers.
import { randomUniform } from "./make-weights.ts";

/** First and last code point of what scripts, numbers, marks and symbols are made of. */
const ranges: readonly (readonly [number, number])[] = [
  [0x20, 0x7e],
  [0xa0, 0x17f],
  [0x180, 0x24f],
  [0x250, 0x2ff],
  [0x300, 0x36f],
  [0x370, 0x3ff],
  [0x400, 0x52f],
  [0x531, 0x5ff],
  [0x600, 0x6ff],
  [0x900, 0x97f],
  [0x980, 0x9ff],
  [0xb80, 0xbff],
  [0xe01, 0xe5b],
  [0xe81, 0xedf],
  [0x1000, 0x109f],
  [0x10a0, 0x10ff],
  [0x1100, 0x11ff],
  [0x13a0, 0x13fd],
  [0x1780, 0x17f9],
  [0x1c80, 0x1cbf],
  [0x1e00, 0x1eff],
  [0x1f00, 0x1fff],
  [0x2000, 0x206f],
  [0x2070, 0x209f],
  [0x20a0, 0x20c0],
  [0x2100, 0x218b],
  [0x2190, 0x22ff],
  [0x2460, 0x24ff],
  [0x2500, 0x27bf],
  [0x2c00, 0x2dff],
  [0x2e80, 0x2fdf],
  [0x3000, 0x303f],
  [0x3041, 0x30ff],
  [0x3105, 0x318e],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa640, 0xa7ca],
  [0xaa60, 0xaa7f],
  [0xac00, 0xd7a3],
  [0xe000, 0xf8ff],
  [0xf900, 0xfaff],
  [0xfb00, 0xfb1c],
  [0xfe00, 0xfe6f],
  [0xff00, 0xffef],
  [0x10400, 0x104ff],
  [0x1d400, 0x1d7ff],
  [0x1e900, 0x1e95f],
  [0x1f300, 0x1faff],
  [0x20000, 0x2a6df],
  [0x2f800, 0x2fa1d],
  [0xe0001, 0xe01ef],
];

const words = (
  "the quick brown fox jumps over lazy dogs Hello HELLO WORLD world McDonald camelCase snake_case kebab-case It's they'LL " +
  "don't DON'T I'm we've you'd can'T o'clock naïve café résumé Zürich Straße ÀÉÎ şi İstanbul ığdır Привет МИР мир " +
  "здравствуйте Ελλάδα γειά مرحبا بالعالم שלום हिन्दी नमस्ते বাংলা தமிழ் สวัสดีครับ ລາວ မြန်မာ ខ្មែរ 日本語 こんにちは カタカナ ﾊﾝｶｸ " +
  "中文字符 你好，世界 繁體 한국어 안녕하세요 ẞ ﬁne ǅungla ⅷ ½ ² 𝔘𝔫𝔦 𠮷野家 Ω K ſ ı ﷺ a̐éö̲ e\u0301 n\u0303o \u0e01\u0e49\u0e33"
).split(" ");

const numbers =
  "0 1 42 007 123 1234 12345 123456 1234567 3.14159 1,234.56 0x1F 1e-9 ١٢٣ १२३ １２３ ⅧⅨ ²³ 2024-06-05 12:34:56 v1.2.3 50%".split(
    " ",
  );

const whiteSpace = [
  " ",
  " ",
  " ",
  "  ",
  "   ",
  "    ",
  "        ",
  "\t",
  "\t\t",
  "\n",
  "\n\n",
  "\r\n",
  "\r",
  " \n",
  "\n ",
  "\n\n\n",
  " \n \n ",
  "\u00a0",
  "\u3000",
  "\u2003\u2009",
  "\u000b",
  "\u000c",
  "\u0085",
  "\u2028",
  "\u1680",
  " ".repeat(17),
  "\n".repeat(5),
  " \t ",
];

const symbols = [
  ".",
  ",",
  "!",
  "?",
  "...",
  "?!",
  "'",
  "''",
  '"',
  "`",
  "```",
  "(",
  ")",
  "[]",
  "{}",
  "<",
  ">",
  "</",
  "/>",
  "->",
  "=>",
  "==",
  "!=",
  "&&",
  "||",
  "#",
  "##",
  "$",
  "%",
  "^",
  "~",
  "*",
  "**",
  "_",
  "__",
  "+",
  "-",
  "--",
  "=",
  "\\",
  "\\n",
  "/",
  "//",
  "/*",
  "*/",
  ":",
  "::",
  ";",
  "@",
  "|",
  "«»",
  "“”",
  "‘",
  "’",
  "—",
  "–",
  "…",
  "。",
  "，",
  "！",
  "、",
  "・",
  "¡¿",
  "§",
  "©",
  "™",
  "€",
  "£",
  "→",
  "∑",
  "≠",
  "₿",
  "'s",
  "'S",
  "'ll",
  "'Ve",
  "’s",
];

const emoji = ["😀", "👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "❤️", "☕", "🦙", "1️⃣", "👩🏿‍🚀", "🫠", "\u200d", "\ufe0f"];

const code = [
  "def f(x):\n    return x + 1\n",
  "for (let i = 0; i < n; i++) {\n\tconsole.log(i);\n}",
  "#include <stdio.h>\r\n",
  "SELECT * FROM t WHERE id='1';",
  '<div class="a">text</div>',
  '{"key": [1, 2.5, null]}',
  "https://example.com/a?b=c&d=%20#e",
  "user@mail.org",
  "$x = @$y ?? [];",
  "C:\\Temp\\a.txt",
  "\\begin{equation} \\alpha_{1}^2 \\end{equation}",
  "if x==y:\n\n\n        pass",
  "| a | b |\n|---|---|\n",
  '"""doc"""',
  "<!-- c -->",
  "![](x.png)",
];

const controls = [
  "\u0000",
  "\u0001",
  "\u0007",
  "\u001b[31m",
  "\u007f",
  "\u200b",
  "\u200e",
  "\ufeff",
  "\u00ad",
  "\u202e",
  "\ufffd",
  "\uffff",
  "\ue000",
  "\u0378",
];

/** Halves of a character alone. */
const lone = ["\ud800", "\udc00", "\udfff", "\ud83d", "a\ud83d", "\ude00b"];

function pick<T>(random: () => number, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)] as T;
}

function fromRange(random: () => number): string {
  const [first, last] = pick(random, ranges);
  let text = "";
  const count = 1 + Math.floor(random() * 6);
  for (let index = 0; index < count; index++) {
    const code = first + Math.floor(random() * (last - first + 1));
    text += String.fromCodePoint(code);
  }
  return text;
}

export interface TextOptions {
  readonly seed: number;
  readonly count: number;
  /** Names of special tokens, spelled now and then, whole or in part. */
  readonly special?: readonly string[];
  /** Most parts of a text; a part is a word or a symbol. Default 12. */
  readonly parts?: number;
}

/** Texts of words of many scripts, numbers, punctuation, white space, emoji, control characters, code and halves of characters. */
export function hardTexts({ seed, count, special = [], parts = 12 }: TextOptions): string[] {
  const random = randomUniform(seed);
  const part = (): string => {
    const kind = random();
    if (kind < 0.28) return pick(random, words);
    if (kind < 0.36) return pick(random, numbers);
    if (kind < 0.56) return pick(random, whiteSpace);
    if (kind < 0.72) return pick(random, symbols);
    if (kind < 0.76) return pick(random, emoji);
    if (kind < 0.8) return pick(random, code);
    if (kind < 0.84) return pick(random, controls);
    if (kind < 0.86) return pick(random, lone);
    if (kind < 0.92 && special.length > 0) return spell(random, pick(random, special));
    return fromRange(random);
  };
  return Array.from({ length: count }, () => {
    const length = 1 + Math.floor(random() * parts);
    let text = "";
    for (let index = 0; index < length; index++) text += part();
    return text;
  });
}

function spell(random: () => number, name: string): string {
  const way = random();
  if (way < 0.6) return name;
  if (way < 0.7) return ` ${name} `;
  if (way < 0.8) return name.slice(0, 1 + Math.floor(random() * name.length));
  if (way < 0.9) return name.slice(Math.floor(random() * name.length));
  return name + name;
}
