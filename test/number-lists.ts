/** The non-negative numbers of short floats, written from their definitions (OFP8, OCP MX 1.0): what the codecs are held against. */

/** In the order of their codes: subnormal numbers, then each exponent with its mantissas. */
function listed(mantissa: number, bias: number, last: number): number[] {
  const steps = 2 ** mantissa;
  const found: number[] = [];
  for (let exponent = 0; ; exponent++) {
    for (let m = 0; m < steps; m++) {
      const x = exponent === 0 ? (m / steps) * 2 ** (1 - bias) : (1 + m / steps) * 2 ** (exponent - bias);
      if (x > last) return found;
      found.push(x);
    }
  }
}

export const numberLists: Readonly<Record<string, readonly number[]>> = {
  float8e4m3fn: listed(3, 7, 448),
  float8e5m2: listed(2, 15, 57344),
  float4e2m1: [0, 0.5, 1, 1.5, 2, 3, 4, 6],
  int2half: [0.5, 1.5],
};

/** The nearest number of the list, ties to the even code; of two bits with half a step to the one farther from zero. */
export function nearestListed(name: string, x: number): number {
  const list = numberLists[name]!;
  const size = Math.min(Math.abs(x), list.at(-1)!);
  let best = 0;
  for (let i = 1; i < list.length; i++) {
    const [near, now] = [Math.abs(list[best]! - size), Math.abs(list[i]! - size)];
    if (now < near || (now === near && (name === "int2half" || i % 2 === 0))) best = i;
  }
  return x < 0 ? -list[best]! : list[best]!;
}
