/** Damage that knows nothing of a format: flipped, cut, doubled and swapped bytes; and of JSON and text, its words. */
import type { Random } from "../../src/base/inner.ts";

const interesting = [0, 1, 2, 4, 7, 8, 16, 32, 64, 127, 128, 255];

/** One to four damages, anywhere. */
export function mutateBytes(bytes: Uint8Array, random: Random): Uint8Array {
  let made = Uint8Array.from(bytes);
  for (let count = 1 + random.integer(4); count > 0; count--) made = damage(made, random);
  return made;
}

function damage(bytes: Uint8Array<ArrayBuffer>, random: Random): Uint8Array<ArrayBuffer> {
  if (bytes.length === 0) return bytes;
  const at = random.integer(bytes.length);
  const length = 1 + random.integer(Math.min(64, bytes.length - at));
  switch (random.integer(7)) {
    case 0:
      bytes[at] = bytes[at]! ^ (1 << random.integer(8));
      return bytes;
    case 1:
      bytes[at] = interesting[random.integer(interesting.length)]!;
      return bytes;
    case 2:
      return bytes.slice(0, at);
    case 3:
      return join(bytes.subarray(0, at), bytes.subarray(at + length));
    case 4:
      return join(bytes.subarray(0, at + length), bytes.subarray(at));
    case 5: {
      // A whole number of four bytes, with its extremes.
      const view = new DataView(bytes.buffer);
      const place = Math.min(at, Math.max(0, bytes.length - 4));
      const value = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, random.uint32()][random.integer(6)]!;
      if (bytes.length >= 4) view.setUint32(place, value, random.integer(2) === 0);
      return bytes;
    }
    default: {
      const from = random.integer(bytes.length);
      return join(bytes.subarray(0, at), bytes.subarray(from, from + length), bytes.subarray(at));
    }
  }
}

export function join(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const made = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    made.set(part, at);
    at += part.length;
  }
  return made;
}

const words = [
  ...'0 1 -1 2147483647 2147483648 -2147483648 4294967296 9007199254740993 1e400 -0 nan inf null true [] {} ""'.split(
    " ",
  ),
  ..."/(a+)+$/ __proto__ constructor ../../x".split(" "),
];

/** Damage between words of a text: a word replaced, left out, doubled, swapped with another; or bytes. */
export function mutateText(text: string, random: Random): string {
  if (random.integer(4) === 0) return new TextDecoder().decode(mutateBytes(new TextEncoder().encode(text), random));
  const parts = text.split(/(\s+|[[\]{}(),:;<>=?&])/).filter((part) => part !== "");
  for (let count = 1 + random.integer(3); count > 0 && parts.length > 0; count--) {
    const at = random.integer(parts.length);
    const other = random.integer(parts.length);
    const kind = random.integer(4);
    if (kind === 0) parts[at] = words[random.integer(words.length)]!;
    else if (kind === 1) parts.splice(at, 1 + random.integer(3));
    else if (kind === 2) parts.splice(at, 0, ...parts.slice(other, other + 1 + random.integer(8)));
    else [parts[at], parts[other]] = [parts[other]!, parts[at]!];
  }
  return parts.join("");
}

const values: readonly unknown[] = [
  null,
  true,
  false,
  0,
  1,
  -1,
  0.5,
  2 ** 31,
  2 ** 53,
  -(2 ** 40),
  1e300,
  "",
  "x",
  "__proto__",
  "int4",
  [],
  [[]],
  {},
  [null],
];

/** Damage between the values of a JSON: replaced, left out, doubled, nested, under other names; or its text. */
export function mutateJson(json: unknown, random: Random): string {
  if (random.integer(4) === 0) return mutateText(JSON.stringify(json), random);
  const made: { root: unknown } = { root: structuredClone(json) };
  for (let count = 1 + random.integer(3); count > 0; count--) damageJson(made, random);
  // Deeper than a reader that calls itself can go, and than what writes it here.
  const depth = random.integer(2) === 0 ? 3 : 6000;
  const nested = random.integer(2) === 0 ? ["[", "]"] : ['{"a":', "}"];
  return JSON.stringify(made.root).replaceAll(
    JSON.stringify(deep),
    `${nested[0]!.repeat(depth)}1${nested[1]!.repeat(depth)}`,
  );
}

const deep = "\u0001deep";

function damageJson(made: { root: unknown }, random: Random): void {
  const places: { holder: Record<string, unknown>; key: string }[] = [];
  const walk = (holder: Record<string, unknown>): void => {
    for (const key of Object.keys(holder)) {
      places.push({ holder, key });
      if (typeof holder[key] === "object" && holder[key] !== null) walk(holder[key] as Record<string, unknown>);
    }
  };
  walk(made as Record<string, unknown>);
  const { holder, key } = places[random.integer(places.length)]!;
  const other = places[random.integer(places.length)]!;
  switch (random.integer(7)) {
    case 0:
    case 1:
      // A copy: what is damaged further must not be the next mutant's.
      holder[key] = structuredClone(values[random.integer(values.length)]);
      return;
    case 2:
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else if (key !== "root") delete holder[key];
      return;
    case 3:
      holder[key] = structuredClone(other.holder[other.key]);
      return;
    case 4:
      if (Array.isArray(holder)) holder.push(structuredClone(holder[Number(key)]));
      else holder[`${key}x`] = structuredClone(holder[key]);
      return;
    case 5:
      holder[key] = deep;
      return;
    default:
      holder[key] =
        typeof holder[key] === "number"
          ? (holder[key] as number) * [-1, 0, 1e9, 0.37][random.integer(4)]!
          : `${holder[key]}`;
  }
}
