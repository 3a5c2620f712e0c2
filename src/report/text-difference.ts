/** What of a text is as it should be, what is too much, and what is missing. */

export interface TextPart {
  readonly kind: "same" | "more" | "missing";
  readonly part: string;
}

/** Letters of longer texts are only compared from both ends: the table takes their product. */
const longest = 400;

/** In the order of the text, with the longest common subsequence kept. */
export function textDifference(text: readonly string[], truth: readonly string[]): TextPart[] {
  let start = 0;
  while (start < text.length && text[start] === truth[start]) start++;
  const common = Math.min(text.length, truth.length) - start;
  let end = 0;
  while (end < common && text.at(-1 - end) === truth.at(-1 - end)) end++;
  const parts: TextPart[] = [];
  const add = (kind: TextPart["kind"], part: string) => {
    const last = parts.at(-1);
    if (last?.kind === kind) parts[parts.length - 1] = { kind, part: last.part + part };
    else if (part !== "") parts.push({ kind, part });
  };
  const [a, b] = [text.slice(start, text.length - end), truth.slice(start, truth.length - end)];
  add("same", text.slice(0, start).join(""));
  if (Math.max(a.length, b.length) > longest) {
    add("missing", b.join(""));
    add("more", a.join(""));
  } else {
    walk(a, b, add);
  }
  add("same", text.slice(text.length - end).join(""));
  return parts;
}

function walk(a: readonly string[], b: readonly string[], add: (kind: TextPart["kind"], part: string) => void): void {
  // left[i][j]: letters that a from i and b from j have in common.
  const left = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      left[i]![j] = a[i] === b[j] ? left[i + 1]![j + 1]! + 1 : Math.max(left[i + 1]![j]!, left[i]![j + 1]!);
    }
  }
  for (let [i, j] = [0, 0]; i < a.length || j < b.length; ) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      add("same", a[i++]!);
      j++;
    } else if (j < b.length && (i === a.length || left[i]![j + 1]! >= left[i + 1]![j]!)) add("missing", b[j++]!);
    else add("more", a[i++]!);
  }
}
