/** Numbers in words for people: percent, bytes, milliseconds, decibels. */

/** 0.8712 → "87.12 %". */
export function percent(fraction: number, digits = 2): string {
  return `${(100 * fraction).toFixed(digits)} %`;
}

/** 1919279 → "1.92 MB" (decimal units, as file managers show them). */
export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  if (count < 1e6) return `${(count / 1e3).toFixed(1)} kB`;
  if (count < 1e9) return `${(count / 1e6).toFixed(2)} MB`;
  return `${(count / 1e9).toFixed(2)} GB`;
}

/** 0.8312 → "0.83 ms". */
export function milliseconds(ms: number): string {
  return ms < 10 ? `${ms.toFixed(2)} ms` : `${ms.toFixed(1)} ms`;
}

/** 41.23 → "41.2 dB"; equal values are "exact", where a number is none "no number". */
export function decibels(db: number): string {
  if (Number.isNaN(db)) return "no number";
  return Number.isFinite(db) ? `${db.toFixed(1)} dB` : db > 0 ? "exact" : "lost";
}

/** 475544 → "475.5 k". */
export function count(n: number): string {
  if (n < 1000) return String(n);
  if (n < 1e6) return `${(n / 1e3).toFixed(1)} k`;
  if (n < 1e9) return `${(n / 1e6).toFixed(1)} M`;
  return `${(n / 1e9).toFixed(2)} G`;
}

/** A number with four significant digits, without trailing zeros. */
export function short(x: number): string {
  if (x === 0) return "0";
  const size = Math.abs(x);
  return size >= 1e5 || size < 1e-3 ? x.toExponential(2) : String(Number(x.toPrecision(4)));
}

/** The end of a long name, which is what tells it apart. */
export function tail(name: string, length = 44): string {
  return name.length <= length ? name : `…${name.slice(1 - length)}`;
}

/** "1 layer", "3 layers". */
export function plural(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

/** 0.0362 → "3.62 points". */
export function points(fraction: number): string {
  return `${(100 * fraction).toFixed(2)} points`;
}

/** A score in its unit: 0.8712 in "%" → "87.12 %", 31.24 in "dB" → "31.24 dB". */
export function figure(value: number, unit: string, digits = 2): string {
  if (unit === "%") return percent(value, digits);
  if (Number.isNaN(value)) return "no number";
  const text = Number.isFinite(value) ? short(value) : value > 0 ? "infinite" : "minus infinite";
  return unit === "" ? text : `${text} ${unit}`;
}

/** A difference of two scores: points for "%", else in the unit. */
export function change(value: number, { unit }: { readonly unit: string }): string {
  return unit === "%" ? points(value) : figure(value, unit);
}

/** What decisions are about: "200 samples", or "pixels of 200 samples". */
export function decisions(of: "samples" | "pixels" | "positions" | null, samples: number): string {
  return of === null || of === "samples" ? plural(samples, "sample") : `${of} of ${plural(samples, "sample")}`;
}
