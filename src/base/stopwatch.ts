/** Seconds since the last call; `total` since the first. */
export function stopwatch(): (() => number) & { total(): number } {
  const start = performance.now();
  let last = start;
  const lap = () => {
    const now = performance.now();
    const seconds = (now - last) / 1000;
    last = now;
    return seconds;
  };
  return Object.assign(lap, { total: () => (performance.now() - start) / 1000 });
}
