/** Headers in ONNX text: `<ir_version: 10, opset_import: ["" : 21], producer_name: "…", …>`. */
import type { Scanner } from "./scanner.ts";
import type { Header } from "./tree.ts";

/** Reads the entries after the opening bracket. */
export function readHeader(scanner: Scanner): Header {
  const header: Record<string, unknown> = {};
  do {
    const start = scanner.offset;
    const key = scanner.identifier();
    const read = entries[key as keyof Header];
    if (!Object.hasOwn(entries, key) || !read) {
      throw scanner.fail("a header entry", `the entries are ${Object.keys(entries).join(", ")}`, start);
    }
    if (key in header) throw scanner.error(`the header entry ${key} is given twice`, start);
    scanner.expect(":");
    header[key] = read(scanner);
  } while (scanner.take(","));
  scanner.expect(">");
  return header;
}

const entries: { readonly [K in keyof Required<Header>]: (scanner: Scanner) => Required<Header>[K] } = {
  ir_version: readVersion,
  opset_import: (scanner) => readPairs(scanner, readVersion),
  producer_name: (scanner) => scanner.string(),
  producer_version: (scanner) => scanner.string(),
  domain: (scanner) => scanner.string(),
  model_version: (scanner) => {
    const exact = readWhole(scanner);
    return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact;
  },
  doc_string: (scanner) => scanner.string(),
  metadata_props: (scanner) => readPairs(scanner, () => scanner.string()),
  overload: (scanner) => scanner.string(),
};

function readPairs<T>(scanner: Scanner, readValue: (scanner: Scanner) => T): Map<string, T> {
  const pairs = new Map<string, T>();
  scanner.expect("[");
  if (scanner.take("]")) return pairs;
  do {
    const start = scanner.offset;
    const key = scanner.string();
    if (pairs.has(key)) throw scanner.error(`${JSON.stringify(key)} is given twice`, start);
    scanner.expect(":");
    pairs.set(key, readValue(scanner));
  } while (scanner.take(","));
  scanner.expect("]");
  return pairs;
}

function readVersion(scanner: Scanner): number {
  const start = scanner.offset;
  const version = Number(readWhole(scanner));
  if (!Number.isSafeInteger(version) || version < 0) throw scanner.fail("a version number", undefined, start);
  return version;
}

function readWhole(scanner: Scanner): bigint {
  const start = scanner.offset;
  const token = scanner.number();
  const value = token?.whole ? BigInt(token.text) : undefined;
  if (value === undefined || BigInt.asIntN(64, value) !== value) {
    throw scanner.fail("a whole number of 64 bits", undefined, start);
  }
  return value;
}
