/** Real .pt2 programs answer as the ONNX files that PyTorch exported of the same networks. */
import { describe, expect, test } from "vitest";
import { fixture, missing } from "../../../test/fixtures.ts";
import { Random } from "../../base/inner.ts";
import type { Model } from "../../ir/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { openModel } from "../inner-node.ts";

/** [program, ONNX export, lengths of the inputs]. */
const programs: readonly (readonly [string, string, readonly number[]])[] = [
  ["resnet-cifar10-akamaster/resnet20.pt2", "resnet-cifar10-akamaster/resnet20.onnx", [2, 3, 32, 32]],
  ["resnet-cifar10-akamaster/resnet56.pt2", "resnet-cifar10-akamaster/resnet56.onnx", [2, 3, 32, 32]],
  ["cifar10/resnet20_cifar10jpeg_finetuned.pt2", "cifar10/resnet20_cifar10jpeg_finetuned.onnx", [2, 3, 32, 32]],
  ["espnet-camvid/espnet_camvid.pt2", "espnet-camvid/espnet_camvid.onnx", [1, 3, 360, 480]],
  ["mobilenetv2-imagenet/mnv2.pt2", "mobilenetv2-imagenet/mnv2_bn.onnx", [1, 3, 224, 224]],
  ["llama-stories260k/stories260k_T256.pt2", "llama-stories260k/stories260k_T256.onnx", [1, 256]],
];

async function answerOf(model: Model, shape: readonly number[]): Promise<Float32Array> {
  const random = new Random(3);
  const [input] = model.graph.inputs.filter((value) => !value.initializer);
  const count = shape.reduce((a, b) => a * b, 1);
  const type = input!.type;
  const isIds = type?.kind === "tensor" && type.dtype === "int64";
  const data = isIds
    ? Tensor.int64(
        shape,
        Array.from({ length: count }, () => random.integer(500)),
      )
    : Tensor.float32(
        shape,
        Float32Array.from({ length: count }, () => random.uniform() * 2 - 1),
      );
  const runtime = await openRuntime("ort-node");
  await using session = await runtime.open(model);
  const outputs = await session.run({ [input!.name]: data });
  return Object.values(outputs)[0]!.floats();
}

describe("programs of others", () => {
  for (const [program, onnx, shape] of programs) {
    test.skipIf(missing(program) || missing(onnx))(program, async () => {
      const expected = await answerOf(await openModel(fixture(onnx)), shape);
      const found = await answerOf(await openModel(fixture(program)), shape);
      expect(found.length).toBe(expected.length);
      const largest = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      const off = expected.reduce((most, x, i) => Math.max(most, Math.abs(x - found[i]!)), 0);
      // Sums of float32 in another order: batch norms are folded in one of the files and not in the other.
      expect(off / largest).toBeLessThan(1e-4);
    });
  }
});
