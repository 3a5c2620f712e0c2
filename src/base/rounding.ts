/** The two roundings of quantization. JavaScript's own `Math.round` is neither: it rounds −127.5 to −127. */

/** Half to even: what ONNX QuantizeLinear, NumPy and PyTorch do. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Half away from zero: what AIMET's C++ does for offsets. */
export function roundHalfAway(x: number): number {
  // Not floor(x + 0.5): the sum rounds 0.49999999999999994 up to 1.
  const whole = Math.trunc(x);
  return Math.abs(x - whole) >= 0.5 ? whole + Math.sign(x) : whole;
}
