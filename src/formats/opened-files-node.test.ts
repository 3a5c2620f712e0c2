/** What lies next to a model in other formats is known like external data of ONNX: sizes, watches and refusals go by it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { dataFilesOf, openModel } from "./inner-node.ts";

/** A TensorFlow.js layers model of one Dense layer with two inputs and one output, its weights in a shard. */
const layers = {
  format: "layers-model",
  modelTopology: {
    class_name: "Sequential",
    config: {
      name: "net",
      layers: [
        {
          class_name: "Dense",
          config: { name: "d", units: 1, activation: "linear", use_bias: true, batch_input_shape: [null, 2] },
        },
      ],
    },
  },
  weightsManifest: [
    {
      paths: ["group1-shard1of1.bin"],
      weights: [
        { name: "d/kernel", shape: [2, 1], dtype: "float32" },
        { name: "d/bias", shape: [1], dtype: "float32" },
      ],
    },
  ],
};

test("the shards of a model of TensorFlow.js are its data files", async () => {
  const folder = mkdtempSync(join(tmpdir(), "avocet-opened-"));
  try {
    writeFileSync(join(folder, "model.json"), JSON.stringify(layers));
    writeFileSync(join(folder, "group1-shard1of1.bin"), new Uint8Array(new Float32Array([1, 2, 3]).buffer));
    expect(dataFilesOf(await openModel(folder))).toEqual([join(folder, "group1-shard1of1.bin")]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
