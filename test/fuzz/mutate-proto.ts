/** Damage that knows protobuf: fields left out, doubled, swapped, moved elsewhere, and numbers with their extremes. */
import type { Random } from "../../src/base/inner.ts";
import { join } from "./mutate-bytes.ts";

interface Field {
  readonly number: number;
  readonly wire: number;
  value: bigint | Uint8Array | Field[];
}

/** Damages one to three fields of a message, at any depth; lengths are kept right, so that most mutants parse. */
export function mutateProto(bytes: Uint8Array, random: Random): Uint8Array {
  const root = parse(bytes, 0);
  if (!root) return bytes;
  for (let count = 1 + random.integer(3); count > 0; count--) {
    const lists: Field[][] = [];
    const walk = (fields: Field[]): void => {
      if (fields.length > 0) lists.push(fields);
      for (const field of fields) if (Array.isArray(field.value)) walk(field.value);
    };
    walk(root);
    if (lists.length === 0) break;
    damage(lists[random.integer(lists.length)]!, lists, random);
  }
  return write(root);
}

const numbers = [
  0n,
  1n,
  2n,
  3n,
  7n,
  64n,
  127n,
  1n << 20n,
  (1n << 31n) - 1n,
  1n << 31n,
  1n << 40n,
  (1n << 63n) - 1n,
  1n << 63n,
  (1n << 64n) - 1n,
];

function damage(fields: Field[], lists: readonly Field[][], random: Random): void {
  const at = random.integer(fields.length);
  const field = fields[at]!;
  const others = lists[random.integer(lists.length)]!;
  const other = others[random.integer(others.length)]!;
  switch (random.integer(7)) {
    case 0:
      fields.splice(at, 1);
      return;
    case 1:
      fields.splice(at, 0, structuredClone(field));
      return;
    case 2:
      fields[at] = structuredClone(other);
      return;
    case 3:
      field.value = structuredClone(other.value);
      if (typeof field.value === "bigint" && field.wire === 2) field.value = new Uint8Array(0);
      else if (typeof field.value !== "bigint" && field.wire !== 2) field.value = BigInt(random.uint32());
      return;
    case 4:
      fields[at] = { ...field, number: 1 + random.integer(25) };
      return;
    default:
      if (typeof field.value === "bigint") field.value = numbers[random.integer(numbers.length)]!;
      else if (field.value instanceof Uint8Array && field.value.length > 0) {
        const byte = random.integer(field.value.length);
        field.value = Uint8Array.from(field.value);
        field.value[byte] = random.integer(256);
      } else fields.splice(at, 1);
  }
}

/** The fields of a message, or undefined where the bytes are none. Texts that happen to parse do no harm. */
function parse(bytes: Uint8Array, depth: number): Field[] | undefined {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint | undefined => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) return undefined;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
    return undefined;
  };
  while (at < bytes.length) {
    const key = varint();
    if (key === undefined || key > 1000n) return undefined;
    const [number, wire] = [Number(key >> 3n), Number(key & 7n)];
    if (number === 0 || number > 40) return undefined;
    if (wire === 0) {
      const value = varint();
      if (value === undefined) return undefined;
      fields.push({ number, wire, value });
    } else if (wire === 1 || wire === 5) {
      const size = wire === 1 ? 8 : 4;
      if (at + size > bytes.length) return undefined;
      fields.push({ number, wire, value: bytes.slice(at, at + size) });
      at += size;
    } else if (wire === 2) {
      const length = varint();
      if (length === undefined || length > BigInt(bytes.length - at)) return undefined;
      const part = bytes.slice(at, at + Number(length));
      at += Number(length);
      const inner = depth < 12 && part.length > 1 && !isText(part) ? parse(part, depth + 1) : undefined;
      fields.push({ number, wire, value: inner ?? part });
    } else return undefined;
  }
  return fields;
}

/** Names and operators stay bytes: as messages they would only be noise. */
const isText = (bytes: Uint8Array) => bytes.every((byte) => byte >= 32 && byte < 127);

function write(fields: readonly Field[]): Uint8Array {
  return join(
    ...fields.flatMap(({ number, wire, value }) => {
      const key = varintBytes((BigInt(number) << 3n) | BigInt(wire));
      if (typeof value === "bigint") return [key, varintBytes(value)];
      const inner = Array.isArray(value) ? write(value) : value;
      return wire === 2 ? [key, varintBytes(BigInt(inner.length)), inner] : [key, inner];
    }),
  );
}

function varintBytes(value: bigint): Uint8Array {
  const made: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    made.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(made);
}
