/** External data: where a tensor says its bytes lie, checked against the file that holds them. */
import { plainBytes } from "../byte-source.ts";
import { limits } from "../limits.ts";
import type { Payload } from "../protobuf/wire-types.ts";
import type { Reading } from "./context.ts";
import type { TensorProto } from "./schema.ts";

/** Bytes handed on at once when external data is copied from file to file. */
const CHUNK = 8 * 2 ** 20;

/** The bytes of a tensor in a file next to the model. */
export interface ExternalPayload extends Payload {
  readonly file: string;
  /** All of it; may throw `import/too-large`. */
  whole(): Uint8Array;
}

/**
 * Finds the bytes that `external_data` names. Throws `import/malformed` for offsets and lengths that make no sense,
 * `import/truncated` when the file is too short, and what the lookup of the location throws.
 */
export function externalPayload(
  proto: TensorProto,
  expected: number,
  reading: Reading,
  where: string,
): ExternalPayload {
  const entries = new Map(proto.externalData.map((entry) => [entry.key ?? "", entry.value ?? ""]));
  const location = entries.get("location");
  if (!location) throw reading.error("import/malformed", "expected the location of external data, got none", where);
  const whole = (key: string, fallback: number): number => {
    const text = entries.get(key);
    if (text === undefined || text === "") return fallback;
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
    throw reading.error(
      "import/malformed",
      `expected a whole number as ${key} of external data, got ${JSON.stringify(text)}`,
      where,
    );
  };
  const offset = whole("offset", 0);
  const length = whole("length", expected);
  if (length !== expected) {
    throw reading.error(
      "import/malformed",
      `expected ${expected} bytes of external data, got a length of ${length}`,
      where,
    );
  }
  const source = reading.source(location, where);
  if (offset + length > source.size) {
    throw reading.error(
      "import/truncated",
      `expected ${length} bytes at offset ${offset} of ${location}, the file has ${source.size}`,
      where,
      "the external data is damaged or was not copied completely",
    );
  }
  return {
    file: source.name,
    length,
    *chunks() {
      for (let at = 0; at < length; at += CHUNK) yield source.read(offset + at, Math.min(CHUNK, length - at));
    },
    whole() {
      if (length <= limits.tensorBytes) return plainBytes(source.read(offset, length));
      throw reading.error(
        "import/too-large",
        `expected a tensor of at most ${limits.tensorBytes} bytes, got ${length}`,
        where,
      );
    },
  };
}
