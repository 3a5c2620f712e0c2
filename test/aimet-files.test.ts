/** Encodings files that AIMET-onnx 2.42 exported for models of our own: read, put into a plan, and written as AIMET does. */
import { describe, expect, test } from "vitest";
import { fromIterable } from "../src/data/inner.ts";
import {
  applyEncodings,
  builtinTarget,
  calibrate,
  entriesByValue,
  type Granularity,
  lower,
  type Plan,
  parseGrid,
  place,
  writeEncodings,
} from "../src/quant/inner.ts";
import { planFromJson, planToJson, readEncodings } from "../src/quant/inner-files.ts";
import { openRuntime, traceShapes } from "../src/runtime/inner.ts";
import { aimetFeeds, aimetModel, recordedText } from "./aimet-goldens.ts";

interface Case {
  readonly model: string;
  readonly target: string;
  readonly widths: readonly [weights: number, activations: number];
  /** Weights that the recording had in blocks of four-bit integers. */
  readonly blocks?: Readonly<Record<string, Granularity>>;
  readonly versions: readonly ("0.6.1" | "1.0.0" | "2.0.0")[];
  /** LPBQ keeps a float a channel and a factor a block: calibration has no such scales, what is read is written back. */
  readonly readOnly?: true;
}

const block = (axis: number, channelAxis: number, size: number): Granularity => ({
  kind: "block",
  axis,
  size,
  channelAxis,
});
const both = ["1.0.0", "2.0.0"] as const;

const cases: Record<string, Case> = {
  residual: { model: "residual", target: "htp-v73", widths: [8, 8], versions: ["0.6.1", ...both] },
  "per-tensor": { model: "joined", target: "aimet-default-per-tensor", widths: [4, 8], versions: ["0.6.1", ...both] },
  wide: { model: "attention", target: "htp-v73", widths: [4, 16], versions: ["0.6.1", ...both] },
  blocks: {
    model: "attention",
    target: "aimet-default",
    widths: [8, 8],
    blocks: { wo: block(0, 1, 4) },
    versions: both,
  },
  "blocks-of-conv": {
    model: "residual",
    target: "aimet-default",
    widths: [8, 8],
    blocks: { w3: block(1, 0, 4), w4: block(1, 0, 4) },
    versions: both,
  },
  "blocks-of-kernel": {
    model: "joined",
    target: "aimet-default",
    widths: [8, 8],
    blocks: { w1: block(1, 0, 2), w2: block(1, 0, 2) },
    versions: both,
  },
  lpbq: { model: "attention", target: "aimet-default", widths: [8, 8], blocks: { wo: block(0, 1, 4) }, versions: both, readOnly: true }, // biome-ignore format: one case
};

async function planned({ model: name, target, widths, blocks = {} }: Case) {
  const model = await aimetModel(name);
  const [runtime, feeds] = [await openRuntime(), aimetFeeds(model, 4)];
  const placed = place(model, builtinTarget(target), {
    shapes: await traceShapes(model, runtime, feeds[0]!),
    weights: parseGrid(`int${widths[0]}`),
    activations: parseGrid(`uint${widths[1]}`),
  });
  const blocked: Plan = {
    ...placed,
    entries: placed.entries.map((entry) =>
      blocks[entry.value] ? { ...entry, grid: parseGrid("int4"), granularity: blocks[entry.value]! } : entry,
    ),
  };
  const options = { scheme: "minmax", batch: 1, session: { optimization: "off" } } as const;
  const { plan } = await calibrate(model, blocked, runtime, fromIterable(() => feeds), options); // biome-ignore format: one line
  return { model, placed: blocked, plan };
}

type Row = Readonly<Record<string, unknown>>;

/** Every entry of a file by section and name. */
function rowsOf(text: string): Map<string, unknown> {
  const file = JSON.parse(text) as Record<string, Row[] | Row>;
  const found = new Map<string, unknown>();
  for (const section of ["activation_encodings", "param_encodings", "encodings"]) {
    const entries = file[section];
    if (Array.isArray(entries)) for (const row of entries) found.set(`${section} ${row.name}`, row);
    else for (const [name, row] of Object.entries(entries ?? {})) found.set(`${section} ${name}`, row);
  }
  return found;
}

/** The same structure, with numbers equal to 1 %: constants next to activations are rounded here before others are observed. */
function apart(ours: unknown, theirs: unknown, path: string): string[] {
  if (typeof theirs === "number" && typeof ours === "number")
    return Math.abs(ours - theirs) <= 0.01 * Math.abs(theirs) + 1e-12 || Math.abs(ours - theirs) === 1
      ? []
      : [`${path}: ours ${ours}, AIMET ${theirs}`];
  if (typeof theirs !== "object" || theirs === null || typeof ours !== "object" || ours === null)
    return ours === theirs ? [] : [`${path}: ours ${JSON.stringify(ours)}, AIMET ${JSON.stringify(theirs)}`];
  const keys = [...new Set([...Object.keys(ours), ...Object.keys(theirs)])];
  return keys.flatMap((key) => apart((ours as Row)[key], (theirs as Row)[key], `${path}.${key}`));
}

describe.each(Object.entries(cases))("%s", (key, one) => {
  const made = planned(one);
  test.each(one.versions)("version %s", async (version) => {
    const { model, placed, plan } = await made;
    const theirs = recordedText(`files/${key}-${version}.encodings`);
    const { plan: loaded, ignored } = applyEncodings(placed, readEncodings(theirs), model);
    const sizeOf = (name: string) => model.graph.valuesByName().get(name)?.initializer?.size ?? 0;
    const isBias = (name: string) => plan.notQuantized.some((left) => left.value === name && /bias/.test(left.reason));
    // What the plan does not hold are scalars, which stay float here, and biases, which AIMET derives.
    expect(ignored.filter((name) => sizeOf(name) !== 1 && !isBias(name))).toEqual([]);
    const differing = loaded.entries.flatMap((entry, i) => {
      const own = plan.entries[i]!.encoding!;
      const constant = sizeOf(entry.value) > 0;
      // A constant in a Concat has its own grid here.
      if (constant && entry.value === "k") return [];
      return one.readOnly && one.blocks![entry.value] ? [] : apart(own, entry.encoding, entry.value);
    });
    expect(differing).toEqual([]);
    expect(loaded.entries.filter((entry) => entry.frozen).length).toBeGreaterThan(8);
    if (one.readOnly) return;
    const ours = writeEncodings(plan, model, { version, producer: { package: "aimet-onnx", version: "2.42.0" } });
    const [a, b] = [rowsOf(ours), rowsOf(theirs)];
    for (const name of new Set([...a.keys(), ...b.keys()])) {
      const value = name.split(" ")[1]!;
      // AIMET also derives a grid for the bias of a normalization, from its largest number; the plan keeps it in float.
      if (sizeOf(value) === 1 || value === "k" || value === "shift") for (const rows of [a, b]) rows.delete(name);
    }
    expect([...a.keys()].sort()).toEqual([...b.keys()].sort());
    for (const [name, row] of b) expect(apart(a.get(name), row, name)).toEqual([]);
  });
});

test.each(both)(
  "LPBQ of version %s is written as it was read, by way of a stored plan, and lowered to the same numbers as blocks",
  async (version) => {
    const { model, placed } = await planned(cases.lpbq!);
    const theirs = recordedText(`files/lpbq-${version}.encodings`);
    const applied = applyEncodings(placed, readEncodings(theirs), model).plan;
    const plan = planFromJson(planToJson(applied));
    expect(plan).toEqual(applied);
    const rowOf = (text: string) => [...rowsOf(text)].find(([name]) => name.endsWith(" wo"))![1];
    for (const other of both) {
      const wanted = recordedText(`files/lpbq-${other}.encodings`);
      expect(rowOf(writeEncodings(plan, model, { version: other }))).toEqual(rowOf(wanted));
    }
    const entry = entriesByValue(plan).get("wo")!;
    const { twoLevel, ...flat } = entry.encoding!;
    expect(twoLevel).toMatchObject({ form: "lpbq", most: 16 });
    expect(() => writeEncodings(plan, model, { version: "0.6.1" })).toThrow("got blocks");
    // A scale that is no whole multiple any more is one of plain blocks.
    const changed = {
      ...entry,
      encoding: { ...entry.encoding!, scale: flat.scale.map((s, i) => (i === 5 ? s * 1.01 : s)) },
    };
    const one = { ...plan, entries: plan.entries.map((e) => (e === entry ? changed : e)) };
    expect(rowOf(writeEncodings(one, model, { version: "1.0.0" }))).toMatchObject({ enc_type: "PER_BLOCK", bw: 4 });
    expect(rowOf(writeEncodings(one, model, { version: "2.0.0" }))).toHaveProperty("y_scale");
    const all = (p: Plan) => ({
      ...p,
      entries: p.entries.map((e) => ({ ...e, ...(e === entry ? { encoding: flat } : {}) })),
    });
    const open = (p: Plan) => ({ ...p, entries: p.entries.filter((e) => e.encoding || e.grid.kind === "float") });
    const runtime = await openRuntime("ort-node");
    const outputs = async (p: Plan) => {
      await using session = await runtime.open(lower(model, open(p)).model, { fuseQdq: false, threads: 1 });
      return Object.values(await session.run(aimetFeeds(model, 1)[0]!)).map((tensor) => tensor.numbers());
    };
    expect(await outputs(plan)).toEqual(await outputs(all(plan)));
  },
);

test("LPBQ is read as the blocks that it stands for, in both versions", () => {
  const [old, recent] = both.map(
    (version) =>
      readEncodings(recordedText(`files/lpbq-${version}.encodings`)).encodings.find((one) => one.name === "wo")!,
  );
  expect([old!.bits, old!.blockSize, old!.scale.length]).toEqual([4, 4, 64]);
  // 1.0.0 lists the blocks of the first channel first, 2.0.0 the channels of the first block: [4 blocks, 16 channels].
  recent!.scale.forEach((scale, i) => {
    expect(Math.abs(scale / old!.scale[(i % 16) * 4 + Math.floor(i / 16)]! - 1)).toBeLessThan(1e-6);
  });
});
