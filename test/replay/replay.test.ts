/**
 * A net for rebuilding: the bytes that Avocet makes, as hashes. A commit that claims to change no behaviour leaves every line; one
 * that changes behaviour updates them (`npm run goldens`), and its message says why. AVOCET_REPLAY=all replays real networks and the
 * slow presets, too.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { targetNames } from "../../src/quant/inner.ts";
import { missing } from "../fixtures.ts";
import { root } from "../source-files.ts";
import { machine, replay, type Setting } from "./hashes.ts";
import { type Replayed, replayed } from "./models.ts";

const everything = process.env.AVOCET_REPLAY === "all";
const here = await machine();
const machineFile = join(root, "test/replay/hashes/machine.txt");
const recordedOn = read(machineFile);
const updating = process.env.AVOCET_GOLDENS === "update";
const elsewhere = !updating && recordedOn !== here ? `recorded on ${recordedOn}; this is ${here}` : false;

describe.skipIf(elsewhere)(`the same bytes as before${elsewhere ? ` (${elsewhere})` : ""}`, () => {
  test.runIf(updating)("the machine", () => expect(here).toMatchFileSnapshot("hashes/machine.txt"));

  for (const model of replayed) {
    const absent = missing(...model.needs) || (model.needs.length > 0 && !everything ? "AVOCET_REPLAY=all" : false);
    test.skipIf(model.needs.length > 0 && absent)(
      `${model.name}${absent ? ` (${absent})` : ""}`,
      async () => {
        await matches(model, "quick", quickSettings(model));
      },
      600_000,
    );
    test.skipIf(!everything || (model.needs.length > 0 && absent))(
      `${model.name}, slow presets`,
      async () => {
        await matches(model, "slow", slowSettings);
      },
      1_200_000,
    );
  }
});

/** Every target once, and every preset and width on the default one. */
function quickSettings({ needs }: Replayed): readonly Setting[] {
  const targets = needs.length > 0 ? ["ort-cpu", "aimet-default"] : targetNames;
  return [
    ...targets.map((target) => ({ target, preset: "fast" }) as const),
    { target: "ort-cpu", preset: "standard" },
    { target: "ort-cpu", preset: "data-free" },
    { target: "ort-cpu", preset: "fast", weights: "int4" },
  ];
}

const slowSettings: readonly Setting[] = [
  { target: "ort-cpu", preset: "best" },
  { target: "ort-cpu", preset: "standard", weights: "int4" },
  { target: "aimet-default", preset: "standard" },
  { target: "htp-v73", preset: "fast", weights: "int4" },
];

async function matches(model: Replayed, speed: string, settings: readonly Setting[]): Promise<void> {
  const lines: string[] = [];
  for (const setting of settings) lines.push(await replay(model, setting));
  await expect(`${lines.join("\n")}\n`, "after a wanted change: npm run goldens").toMatchFileSnapshot(
    `hashes/${model.name}.${speed}.txt`,
  );
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return null;
  }
}
