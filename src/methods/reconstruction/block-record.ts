/** A block that is done as bytes of a checkpoint, and back, bit for bit. */
import { type Checkpoint, packRecord, unpackRecord } from "../../base/inner.ts";
import type { Value } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import type { BlockResult } from "./reconstruct-block.ts";

/** Keeps what the constants hold after a block. */
export async function saveBlock(
  checkpoint: Checkpoint,
  key: string,
  result: BlockResult,
  constants: ReadonlyMap<string, Value>,
  names: readonly string[],
): Promise<void> {
  const arrays = Object.fromEntries(names.map((name) => [name, constants.get(name)!.initializer!.floats()]));
  await checkpoint.save(key, packRecord({ facts: result, arrays }));
}

/** Puts what was kept under the key into the constants; undefined when nothing was. */
export async function loadBlock(
  checkpoint: Checkpoint,
  key: string,
  constants: ReadonlyMap<string, Value>,
): Promise<BlockResult | undefined> {
  const bytes = await checkpoint.load(key);
  if (!bytes) return undefined;
  const { facts, arrays } = unpackRecord(bytes);
  for (const [name, array] of Object.entries(arrays)) {
    const constant = constants.get(name)!;
    constant.initializer = Tensor.float32(constant.initializer!.shape, array as Float32Array<ArrayBuffer>);
  }
  return facts as BlockResult;
}
