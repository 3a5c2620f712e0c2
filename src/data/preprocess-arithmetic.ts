/** What preprocessing computes, apart from how it is written down: y = (x·scale − mean) / std · gain, per channel. */

/** The numbers of the formula, as `Preprocess` has them. */
export interface PreprocessNumbers {
  /** A number, or a fraction such as "1/255". */
  readonly scale: number | string;
  /** One number, or one per channel, as `std`. */
  readonly mean: number | readonly number[];
  readonly std: number | readonly number[];
  readonly gain: number | string;
}

/** The number that `scale` or `gain` means. */
export function factorOf(given: number | string): number {
  if (typeof given === "number") return given;
  const [over = "", under = ""] = given.split("/");
  return Number(over) / Number(under);
}

/** The arithmetic of preprocessing for one channel, in float64. */
export function valueMap(preprocess: PreprocessNumbers, channel: number): (x: number) => number {
  const of = (given: number | readonly number[]) =>
    typeof given === "number" ? given : given[given.length === 1 ? 0 : channel]!;
  const mean = of(preprocess.mean);
  const std = of(preprocess.std);
  const times = (given: number | string) => {
    if (typeof given === "number") return (x: number) => x * given;
    // Dividing last is exact where multiplying by 1/255 is not: 255 becomes 1.
    const [over = "", under = ""] = given.split("/");
    const [a, b] = [Number(over), Number(under)];
    return (x: number) => (x * a) / b;
  };
  const scale = times(preprocess.scale);
  const gain = times(preprocess.gain);
  return (x) => gain((scale(x) - mean) / std);
}

/** How many channels the input has. */
export function channelsOf(color: "rgb" | "bgr" | "gray"): 1 | 3 {
  return color === "gray" ? 1 : 3;
}
