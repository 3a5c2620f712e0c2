/** Training form: what is taken as inference returns what a stock session returns, what is random is told, and all else stays. */
import { expect, test } from "vitest";
import { outputsOf, seededFeeds } from "../../../test/same-outputs.ts";
import { cloneModel, parseModel } from "../../ir/inner.ts";
import { normalise } from "../normalise.ts";
import { randomNodes, trainingForm, trainingNodes } from "./use-inference.ts";

const constants =
  "<float p = {0.5}, bool yes = {1}, bool no = {0}, float[4] g, float[4] b, float[4] m, float[4] v = {1, 2, 3, 4}>";
const model = (body: string, opset = 21, outputs = "float[2,4,3,3] y") =>
  parseModel(
    `<ir_version: 8, opset_import: ["": ${opset}]> f (float[2,4,3,3] x) => (${outputs}) ${constants} { ${body} }`,
    { seed: 2 },
  );

test.each([
  ["Dropout", 21, "d, mask = Dropout(x, p, yes) y = Relu(d)", "d = Relu(x) y = Relu(d)"],
  ["Dropout at opset 12", 12, "d = Dropout(x, p, yes) y = Relu(d)", "y = Relu(x)"],
  [
    "a batch norm",
    15,
    "n = BatchNormalization <training_mode = 1> (x, g, b, m, v) y = Relu(n)",
    "n = BatchNormalization(x, g, b, m, v) y = Relu(n)",
  ],
  [
    "a batch norm of opset 9, with the outputs of training that nobody reads",
    9,
    "n, s, t = BatchNormalization(x, g, b, m, v) y = Relu(n)",
    "n = BatchNormalization(x, g, b, m, v) y = Relu(n)",
  ],
])("%s is taken as inference, and told", async (_, opset, body, inference) => {
  const given = model(body, opset);
  expect(trainingNodes(given).length).toBe(1);
  const made = cloneModel(given);
  const reports = await normalise(made);
  const notes = reports.find((report) => report.pass === "use-inference")!.notes;
  expect(notes.map((note) => note.reason)).toEqual([trainingForm]);
  expect(trainingNodes(made)).toEqual([]);
  const wanted = (await outputsOf(model(inference, opset), seededFeeds(given))).y!.floats();
  (await outputsOf(made, seededFeeds(given))).y!.floats().forEach((y, i) => {
    // Batch norms in another order of float32 operations.
    expect(Math.abs(y - wanted[i]!)).toBeLessThan(1e-5);
  });
});

test("statistics that others read keep a batch norm in training form, with a reason", async () => {
  const read = model(
    "n, s, t = BatchNormalization <training_mode = 1> (x, g, b, m, v) y = Relu(n) z = Relu(s)",
    15,
    "float[2,4,3,3] y, float[4] z",
  );
  const reports = await normalise(read);
  const { notes, refusals } = reports.find((report) => report.pass === "use-inference")!;
  expect([notes.length, refusals.map((one) => one.reason)]).toEqual([
    0,
    ["it is in training form, and others read its statistics"],
  ]);
});

test.each([
  ["r = RandomNormalLike(x) y = Add(x, r)", 1],
  ["q = Sigmoid(x) r = Bernoulli(q) y = Mul(x, r)", 1],
  ["d = Dropout(x, p, no) y = Relu(d)", 0],
  ["d = Dropout(x, p, yes) y = Relu(d)", 0],
  ["d = Dropout(x) y = Relu(d)", 0],
])("random outputs: %s", (body, count) => {
  expect(randomNodes(model(body)).length).toBe(count);
});

test("Dropout whose training form is computed may be random", () => {
  const open = parseModel(
    `<ir_version: 8, opset_import: ["": 21]> f (float[2] x, bool t) => (float[2] y) <float p = {0.5}> { y = Dropout(x, p, t) }`,
  );
  expect(randomNodes(open).length).toBe(1);
});
