/** Inflating with a bound: what a small file claims to hold, or holds without saying so, never takes more memory than allowed. */
import { Gunzip, Inflate, Unzlib } from "fflate";
import { archiveLimits } from "./limits.ts";

const forms = { raw: Inflate, zlib: Unzlib, gzip: Gunzip };

export interface Inflated {
  readonly bytes: Uint8Array;
  /** Whether there was more than was asked for. */
  readonly more: boolean;
}

/** Input that is inflated at a time: 16 kB become 16 MB at most. */
const piece = 2 ** 14;

/** At most `most` inflated bytes; nothing behind them is inflated. Throws the library's errors for bytes that are damaged. */
export function inflateUpTo(packed: Uint8Array, most: number, form: keyof typeof forms): Inflated {
  const out = new Uint8Array(most);
  let at = 0;
  let more = false;
  const stream = new forms[form]((chunk) => {
    const used = chunk.subarray(0, most - at);
    out.set(used, at);
    at += used.length;
    more ||= used.length < chunk.length;
  });
  let members = 0;
  if (stream instanceof Gunzip) {
    stream.onmember = () => {
      if (++members > archiveLimits.gzipMembers) throw new Error(`more than ${archiveLimits.gzipMembers} members`);
    };
  }
  for (let start = 0; start < packed.length && !more; start += piece) {
    stream.push(packed.subarray(start, start + piece), start + piece >= packed.length);
  }
  return { bytes: at === most ? out : out.subarray(0, at), more };
}
