/** Nothing claims to be good that is not: what users would believe wrongly is said in summary, report and JSON, and misses gates. */
import { mkdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Random } from "../src/base/inner.ts";
import { writeModelFile } from "../src/formats/inner-node.ts";
import { parseModel } from "../src/ir/inner.ts";
import { openRuntime } from "../src/runtime/inner.ts";
import { Tensor } from "../src/tensor/inner.ts";
import { avocet, avocetJson, type Workshop, workshop } from "./command-line.ts";

const classes = 12;
const text = `<ir_version: 10, opset_import: ["" : 21]> net (float[N,10] x) => (float[N,${classes}] y)
  <float[10,32] w1, float[32,${classes}] w2, float scale = {4.0}> {
    [first] h = MatMul(x, w1)
    [act] r = Relu(h)
    [second] l = MatMul(r, w2)
    z = Mul(l, scale)
    y = Softmax <axis = -1> (z) }`;

let shop: Workshop;
/** What float chooses for each of the 600 samples. */
let chosen: number[];

beforeAll(async () => {
  shop = await workshop();
  const model = parseModel(text, { seed: 9 });
  await shop.model("net.onnx", model);
  const random = new Random(5);
  const x = Tensor.float32(
    [600, 10],
    Float32Array.from({ length: 6000 }, () => random.normal()),
  );
  shop.npy("data.npy", x);
  await using session = await (await openRuntime()).open(model);
  const scores = (await session.run({ x })).y!.floats();
  chosen = Array.from({ length: 600 }, (_, n) => {
    const row = [...scores.subarray(n * classes, (n + 1) * classes)];
    return row.indexOf(Math.max(...row));
  });
  labels("right.npy", (label) => label);
  labels("shifted.npy", (label) => (label + 1) % classes);
  shop.write("names.txt", `${chosen.map((label) => `name${String(label).padStart(2, "0")}`).join("\n")}\n`);
});
afterAll(() => shop[Symbol.dispose]());

const labels = (name: string, of: (label: number) => number) =>
  shop.npy(name, Tensor.of("uint8", [600], Uint8Array.from(chosen, of)));

/** Quantizes with samples that do not judge, and judges on the others. */
const quantize = (name: string, ...more: string[]) =>
  avocetJson(["quantize", shop.at("net.onnx"), "--data", shop.at("data.npy?first=200"), "-o", shop.at(name), "--preset", "fast", ...more]); // biome-ignore format: a command
const judge = (file: string, part = "skip=200") => ["--evaluate", shop.at(`data.npy?${part}`), "--labels", shop.at(`${file}?${part}`)]; // biome-ignore format: options
const kinds = (json: { warnings: { kind: string }[] }) => json.warnings.map(({ kind }) => kind);

describe("scores", () => {
  test("right labels on samples of their own: no doubt, an interval around every figure, and gates are kept", async () => {
    const { code, json } = await quantize("good", ...judge("right.npy"), "--max-drop", "0.5", "--min-agreement", "0.5");
    expect(code).toBe(0);
    expect(kinds(json).filter((kind) => !["slower", "within-noise"].includes(kind))).toEqual([]);
    const { float, quantized, samples, interval, p } = json.score;
    expect([float, samples, json.judgedOn]).toEqual([1, 400, { data: "evaluation", seen: 0, samples: 200 }]);
    expect(interval.float[1]).toBe(1);
    expect(interval.quantized[0]).toBeLessThan(quantized);
    expect(interval.quantized[1]).toBeGreaterThan(quantized);
    expect(interval.lost[0]).toBeLessThanOrEqual(float - quantized);
    expect(interval.lost[1]).toBeGreaterThanOrEqual(float - quantized);
    expect(p).toBeGreaterThan(0);
    expect(json.decisions.interval[0]).toBeLessThan(json.agreement.float);
  });

  test("float that guesses: said everywhere, no gate on it is kept, and nothing is called good", async () => {
    const { code, json, err } = await quantize("wrong", ...judge("shifted.npy"), "--max-drop", "0.5", "--min-agreement", "0.5"); // biome-ignore format: a command
    expect(code).toBe(3);
    expect(kinds(json)).toContain("near-chance");
    expect(err).toMatch(/gate\/missed: float scores \d.*guessing.*\(at --max-drop\)/);
    expect(err).toMatch(/\(at --min-agreement\)/);
    expect(shop.listing()).toContain("wrong/model.onnx");
    const page = (await avocet(["report", shop.at("wrong"), "-o", shop.at("wrong.html")])).out;
    expect(page).toContain("was not judged");
    const people = await avocet(["quantize", shop.at("net.onnx"), "--data", shop.at("data.npy?first=200"), "-o", shop.at("told"), ...judge("shifted.npy"), "--quiet"]); // biome-ignore format: a command
    expect([people.code, people.out]).toEqual([0, expect.stringContaining("warning: float scores")]);
    const evaluated = await avocetJson(["evaluate", shop.at("net.onnx"), "--data", shop.at("data.npy"), "--labels", shop.at("shifted.npy")]); // biome-ignore format: a command
    expect([evaluated.code, kinds(evaluated.json)]).toEqual([0, ["near-chance"]]);
  });

  test("labels that fit no class are no reason to lose the model", async () => {
    labels("outside.npy", (label) => label + classes);
    const { code, json } = await quantize("outside", ...judge("outside.npy"));
    expect([code, json.score, kinds(json)[0]]).toEqual([0, undefined, "not-judged"]);
    const gated = await quantize("outside-gated", ...judge("outside.npy"), "--max-drop", "0.5");
    expect([gated.code, gated.err]).toEqual([3, expect.stringContaining("could not be judged")]);
  });

  test("so few samples that the difference is noise", async () => {
    const { json } = await quantize("few", ...judge("right.npy", "skip=590"));
    expect(kinds(json)).toContain("within-noise");
  });
});

describe("names of classes", () => {
  const named = (file: string, ...more: string[]) =>
    avocetJson(["evaluate", shop.at("net.onnx"), "--data", shop.at("data.npy"), "--labels", shop.at(file), ...more]);

  test("all classes by name in their order: nothing to say", async () => {
    const { json } = await named("names.txt");
    expect([json.value, kinds(json)]).toEqual([1, new Set(chosen).size === classes ? [] : ["class-count"]]);
  });

  test("fewer names than classes are judged by their order, which is said; --classes says which they are", async () => {
    // Of the samples only those of six classes, as their names.
    const few = [...new Set(chosen)].sort((a, b) => b - a).slice(0, 6);
    const rows = chosen.flatMap((label, n) => (few.includes(label) ? [n] : []));
    const name = (label: number) => `name${String(label).padStart(2, "0")}`;
    const part = `${rows.map((n) => name(chosen[n]!)).join("\n")}\n`;
    shop.write("few.txt", part);
    await using session = await (await openRuntime()).open(shop.at("net.onnx"));
    expect(session.inputs).toHaveLength(1);
    const random = new Random(5);
    const all = Float32Array.from({ length: 6000 }, () => random.normal());
    shop.npy(
      "few.npy",
      Tensor.float32(
        [rows.length, 10],
        rows.flatMap((n) => [...all.subarray(10 * n, 10 * n + 10)]),
      ),
    );
    const judged = (...more: string[]) =>
      avocetJson(["evaluate", shop.at("net.onnx"), "--data", shop.at("few.npy"), "--labels", shop.at("few.txt"), ...more]); // biome-ignore format: a command
    const blind = await judged();
    expect(kinds(blind.json)).toContain("class-count");
    const names = Array.from({ length: classes }, (_, label) => name(label));
    shop.write("classes.txt", `${names.join("\n")}\n`);
    shop.write("classes.json", JSON.stringify(Object.fromEntries(names.map((text, label) => [text, label]))));
    shop.write("imagenet.json", JSON.stringify(Object.fromEntries(names.map((text, label) => [label, [text, `the ${label}th`]])))); // biome-ignore format: a file
    for (const file of ["classes.txt", "classes.json", "imagenet.json"]) {
      const { json } = await judged("--classes", shop.at(file));
      expect([file, json.value, kinds(json)]).toEqual([file, 1, []]);
    }
    shop.write("other.txt", "a\nb\n");
    const absent = await judged("--classes", shop.at("other.txt"));
    expect([absent.code, absent.json.error.code, absent.json.error.at]).toEqual([1, "data/labels", shop.at("few.txt")]);
    const nowhere = await judged("--classes", shop.at("nowhere.txt"));
    expect([nowhere.code, nowhere.json.error.code]).toEqual([1, "import/not-found"]);
  });

  test("class folders", async () => {
    // A picture of one value a folder; the network says which of three values it is.
    const text = `<ir_version: 10, opset_import: ["" : 21]> net (float[N,1,8,8] x) => (float[N,4] y) <float[1,4] w = {-60, -20, 20, 60}, float[4] b = {18, 16, -4, -44}> {
      p = GlobalAveragePool(x)
      f = Flatten(p)
      m = MatMul(f, w)
      a = Add(m, b)
      y = Softmax(a) }`;
    await shop.model("grey.onnx", parseModel(text));
    mkdirSync(shop.at("folders"));
    for (const [folder, value] of [
      ["dark", 10],
      ["middle", 110],
      ["pale", 160],
    ] as const) {
      mkdirSync(shop.at("folders", folder));
      for (let i = 0; i < 6; i++) writeFileSync(shop.at("folders", folder, `${i}.png`), grey(value + i));
    }
    const preprocess = shop.write("grey.json", JSON.stringify({ color: "gray", scale: "1/255" }));
    const evaluate = (...more: string[]) =>
      avocetJson(["evaluate", shop.at("grey.onnx"), "--data", shop.at("folders"), "--preprocess", preprocess, ...more]);
    const { code, json, out } = await evaluate();
    expect(code, out).toBe(0);
    expect(kinds(json)).toContain("class-count");
    const mapped = await evaluate("--classes", shop.write("grey-classes.json", JSON.stringify({ dark: 0, middle: 1, pale: 2, white: 3 }))); // biome-ignore format: a command
    expect(kinds(mapped.json)).not.toContain("class-count");
  });
});

describe("which samples judge", () => {
  const own = (name: string, samples: string, ...more: string[]) =>
    avocetJson(["quantize", shop.at("net.onnx"), "--data", shop.at("data.npy"), "--samples", samples, "-o", shop.at(name), "--preset", "fast", ...more]); // biome-ignore format: a command

  test.each([
    [
      "samples that calibration did not use, where there are enough",
      "100",
      { data: "held-out", seen: 0, samples: 200 },
      false,
    ],
    ["the first ones calibrate: the others judge", "first:580", { data: "held-out", seen: 0, samples: 20 }, false],
    ["all calibrate, which is said", "600", { data: "calibration", seen: 200, samples: 200 }, true],
  ])("%s", async (_, samples, judgedOn, warned) => {
    const name = `own-${samples.replace(":", "-")}`;
    const { json } = await own(name, samples);
    expect(json.judgedOn).toEqual(judgedOn);
    expect(kinds(json).includes("seen-data")).toBe(warned);
    expect(shop.json(name, "report.json").settings.samples).toBe(samples.replace("first:", ""));
    const verified = await avocetJson(["verify", shop.at(name), "--samples", "200"]);
    expect(verified.json.judgedOn).toEqual(judgedOn);
    expect(kinds(verified.json).includes("seen-data")).toBe(warned);
  });

  test("more samples are asked for than there are: what was used is told", async () => {
    await own("asked", "5000");
    expect(shop.json("asked", "report.json").settings.samples).toBe("600");
  });

  test("--evaluate on the data of calibration is found out, also when it is a part of it", async () => {
    const labelled = ["--labels", shop.at("right.npy")];
    const all = await own("again", "100", "--evaluate", shop.at("data.npy"), ...labelled);
    expect(all.json.judgedOn).toMatchObject({ data: "calibration", samples: 200 });
    expect(all.json.judgedOn.seen).toBeGreaterThan(0);
    expect(kinds(all.json)).toContain("seen-data");
    const apart = await own("apart", "first:100", "--evaluate", shop.at("data.npy?skip=100"), "--labels", shop.at("right.npy?skip=100")); // biome-ignore format: a command
    expect(apart.json.judgedOn).toEqual({ data: "evaluation", seen: 0, samples: 200 });
  });

  test("what training saw is said", async () => {
    const { json, code, out } = await avocetJson(["train", shop.at("net.onnx"), "--data", shop.at("data.npy?first=100"), "-o", shop.at("trained"), "--epochs", "1", "--preset", "fast"]); // biome-ignore format: a command
    expect(code, out).toBe(0);
    expect([json.judgedOn, kinds(json).includes("seen-data")]).toEqual([{ data: "training", seen: 100, samples: 100 }, true]); // biome-ignore format: a fact
  });
});

describe("what it costs", () => {
  test("most weights in float", async () => {
    const part = await quantize("part", "--float", "second");
    expect(kinds(part.json)).toContain("mostly-float");
  });

  test("a constant decision", async () => {
    await shop.model("constant.onnx", parseModel(text.replace("4.0", "0.0001").replace("z = Mul(l, scale)", "k = Mul(l, scale)\n    z = Add(k, b)").replace("float scale", `float[${classes}] b = {9,0,0,0,0,0,0,0,0,0,0,0}, float scale`), { seed: 9 })); // biome-ignore format: a model
    const { json } = await avocetJson(["quantize", shop.at("constant.onnx"), "--data", shop.at("data.npy"), "-o", shop.at("constant"), "--preset", "fast"]); // biome-ignore format: a command
    expect([json.agreement.float, kinds(json).includes("one-class")]).toEqual([1, true]);
  });

  test("bytes of a model count its external data", async () => {
    const model = parseModel(text, { seed: 9 });
    mkdirSync(shop.at("large"));
    const { byteLength, data } = writeModelFile(model, shop.at("large", "net.onnx"), {
      externalData: "always",
      externalFrom: 0,
    });
    expect(data.length).toBeGreaterThan(0);
    const made = await avocetJson(["quantize", shop.at("large", "net.onnx"), "--data", shop.at("data.npy"), "-o", shop.at("from-large"), "--preset", "fast"]); // biome-ignore format: a command
    expect(made.json.bytes.float).toBe(byteLength);
    expect((await avocetJson(["verify", shop.at("from-large")])).json.bytes.float).toBe(byteLength);
  });
});

/** An 8 × 8 grey PNG, stored without compression. */
function grey(value: number): Uint8Array {
  const crcTable = Array.from({ length: 256 }, (_, n) => {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    return c >>> 0;
  });
  const crc = (bytes: Uint8Array) => {
    let c = 0xffffffff;
    for (const byte of bytes) c = crcTable[(c ^ byte) & 255]! ^ (c >>> 8);
    return (c ^ 0xffffffff) >>> 0;
  };
  const word = (n: number) => [(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
  const chunk = (name: string, body: readonly number[]) => {
    const inside = [...Buffer.from(name), ...body];
    return [...word(body.length), ...inside, ...word(crc(Uint8Array.from(inside)))];
  };
  const rows = Array.from({ length: 8 }, () => [0, ...new Array<number>(8).fill(value)]).flat();
  let [a, b] = [1, 0];
  for (const byte of rows) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  const length = rows.length;
  const zlib = [
    0x78,
    1,
    1,
    length & 255,
    length >> 8,
    ~length & 255,
    (~length >> 8) & 255,
    ...rows,
    ...word(b * 65536 + a),
  ];
  return Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, ...chunk("IHDR", [...word(8), ...word(8), 8, 0, 0, 0, 0]), ...chunk("IDAT", zlib), ...chunk("IEND", [])]); // biome-ignore format: bytes
}
