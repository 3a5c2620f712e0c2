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
  return x < 0 ? -Math.floor(0.5 - x) : Math.floor(x + 0.5);
}
