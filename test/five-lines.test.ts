/** The shortest way through the public doors: a path, bytes or a model give the same file; data and labels are typed and checked. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ClassLabels, quantize, readModel, writeModel } from "../src/index.ts";
import { openData, openLabels } from "../src/index-node.ts";
import { type Workshop, workshop } from "./command-line.ts";

let shop: Workshop;
beforeAll(async () => {
  shop = await workshop();
});
afterAll(() => shop[Symbol.dispose]());

test("quantize takes a path, bytes, or a model in memory", async () => {
  const path = shop.at("tiny.onnx");
  const bytes = readFileSync(path);
  const data = await openData(shop.at("x.npy"), { model: path });
  expect(data.count).toBe(40);
  const shipped = [];
  for (const model of [path, new Uint8Array(bytes), readModel(bytes)]) {
    const made = await quantize(model, data, { preset: "fast" }, { threads: 1 });
    shipped.push(writeModel(made.shipped));
  }
  expect(shipped[1]).toEqual(shipped[0]);
  expect(shipped[2]).toEqual(shipped[0]);
});

test("openData checks samples against the model, by path or in memory", async () => {
  const model = readModel(readFileSync(shop.at("tiny.onnx")));
  expect((await openData(shop.at("x.npy"), { model })).count).toBe(40);
  await expect(openData(shop.at("y.npy"), { model })).rejects.toMatchObject({ code: "data/wrong-shape" });
  // @ts-expect-error a program without types
  await expect(openData(shop.at("x.npy"), {})).rejects.toMatchObject({ code: "usage/missing" });
});

test("labels have the type of their kind, and another kind is refused", async () => {
  const labels: ClassLabels = await openLabels(shop.at("y.npy"), { kind: "classes" });
  expect(Number.isInteger(labels.at(0))).toBe(true);
  const arrays = await openLabels(shop.at("x.npy"), { kind: "arrays" });
  expect(arrays.at(0).shape).toEqual([8, 6, 6]);
  await expect(openLabels(shop.at("y.npy"), { kind: "masks" })).rejects.toMatchObject({ code: "data/labels" });
});
