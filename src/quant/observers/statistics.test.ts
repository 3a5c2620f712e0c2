/** Histograms for reports: what was counted stays counted, in at most 256 bins where the numbers are. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { coarsen } from "./statistics.ts";

test("bins that hold something are merged by powers of two until 256 do, and nothing is lost", () => {
  const empty = (length: number) => new Array<number>(length).fill(0);
  const counts = fc
    .tuple(fc.nat(300), fc.constantFrom(0, 1, 100, 256, 257, 512, 513, 1025), fc.nat(300))
    .map(([before, used, after]) => {
      const inside = Array.from({ length: used }, (_, i) => (i === 0 || i === used - 1 ? 1 : i % 7));
      return [...empty(before), ...inside, ...empty(after)];
    });
  fc.assert(
    fc.property(counts, fc.constantFrom(0.25, 3), (given, width) => {
      const found = coarsen({ left: -7, width, counts: Float64Array.from(given) });
      const [first, last] = [given.findIndex((count) => count > 0), given.findLastIndex((count) => count > 0)];
      if (first < 0) {
        expect(found).toEqual({ left: -7, width, counts: [] });
        return;
      }
      const merged = [1, 2, 4, 8].find((factor) => last - first + 1 <= 256 * factor)!;
      expect([found.left, found.width]).toEqual([-7 + first * width, width * merged]);
      const used = given.slice(first, last + 1);
      const wanted = Array.from({ length: Math.ceil(used.length / merged) }, (_, i) =>
        used.slice(i * merged, (i + 1) * merged).reduce((a, b) => a + b, 0),
      );
      expect(found.counts).toEqual(wanted);
    }),
  );
});
