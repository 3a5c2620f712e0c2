/** `--max-bytes` and `--max-latency`: the most that a result may take, in units or as a share of what float takes. */
import { AvocetError } from "../base/inner.ts";

export interface Limit {
  /** Bytes or milliseconds; a fraction where `of` is "float". */
  readonly amount: number;
  readonly of: "unit" | "float";
}

const byteUnits: Units = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };
const timeUnits: Units = { ms: 1, us: 1e-3, µs: 1e-3, s: 1e3 };
type Units = Readonly<Record<string, number>>;

/** `4000000`, `4MB`, `3.5MiB`, or `30%` of float's. Throws `usage/bad-value`. */
export const byteLimit = (text: string): Limit => limitOf(text, byteUnits, "4MB, or 30% of what float takes");

/** `2.5`, `2.5ms`, or `80%` of float's. Throws `usage/bad-value`. */
export const timeLimit = (text: string): Limit => limitOf(text, timeUnits, "2.5ms, or 80% of what float takes");

/** What the limit is, where float takes so much. */
export function amountOf({ amount, of }: Limit, float: number): number {
  return of === "unit" ? amount : amount * float;
}

function limitOf(text: string, units: Units, hint: string): Limit {
  const [, number, unit = ""] = /^\s*(\d*\.?\d+(?:e[-+]?\d+)?)\s*(\D*?)\s*$/i.exec(text) ?? [];
  const amount = Number(number);
  if (number !== undefined && Number.isFinite(amount) && amount > 0) {
    if (unit === "%") return { amount: amount / 100, of: "float" };
    const factor =
      unit === "" ? 1 : Object.entries(units).find(([name]) => name.toLowerCase() === unit.toLowerCase())?.[1];
    if (factor !== undefined) return { amount: amount * factor, of: "unit" };
  }
  throw new AvocetError("usage/bad-value", `expected an amount above zero, got "${text}"`, { hint });
}
