/** Activations of a cut: tensors by slot and batch, in memory up to a budget and on disk past it. */
import { AvocetError } from "../../base/inner.ts";
import { type Dim, type TensorType, tensorType } from "../../ir/inner.ts";
import { byteLength, type DType, type Shape, sizeOf, Tensor } from "../../tensor/inner.ts";

/** Where bytes go that memory has no room for. Extents that were freed are used again. */
export interface Spill extends AsyncDisposable {
  /** Stores bytes and says where. */
  write(bytes: Uint8Array): Promise<number>;
  read(at: number, length: number): Promise<Uint8Array>;
  free(at: number, length: number): void;
}

type Stored =
  | { readonly tensor: Tensor }
  | { readonly dtype: DType; readonly shape: Shape; readonly at: number; readonly length: number };

/** One value of a cut, batch by batch. */
export class Slot {
  readonly batches: (Stored | undefined)[] = [];
  /** Branches that still need it. */
  owners = 1;
  #dtype: DType | undefined;
  #shape: Dim[] | null = null;

  /** The type that all batches fit: lengths that differ between samples or batches are free. */
  get type(): TensorType {
    return tensorType(this.#dtype!, this.#shape);
  }

  /** `size` is the number of samples of the batch: a first axis of that length is taken for the samples. */
  describe(tensor: Tensor, size: number): void {
    const shape = tensor.shape.map((dim, axis) => (axis === 0 && dim === size ? null : dim));
    if (this.#dtype === undefined) this.#shape = shape;
    else if (this.#shape?.length !== shape.length) this.#shape = null;
    else this.#shape = this.#shape.map((dim, axis) => (dim === shape[axis] ? dim : null));
    this.#dtype = tensor.dtype;
  }
}

export class ActivationStore implements AsyncDisposable {
  readonly #budget: number;
  readonly #openSpill: (() => Promise<Spill>) | undefined;
  #spill: Spill | undefined;
  #inMemory = 0;

  /** `budget` in bytes; without `openSpill` going beyond it is an error. */
  constructor(budget: number, openSpill: (() => Promise<Spill>) | undefined) {
    this.#budget = budget;
    this.#openSpill = openSpill;
  }

  /** Bytes held in memory. */
  get inMemory(): number {
    return this.#inMemory;
  }

  /** Appends the next batch. Throws `runtime/out-of-memory` past the budget where there is no disk. */
  async put(slot: Slot, tensor: Tensor, size: number): Promise<void> {
    slot.describe(tensor, size);
    const bytes = tensor.byteLength;
    if (this.#inMemory + bytes <= this.#budget || tensor.dtype === "string") {
      this.#inMemory += bytes;
      slot.batches.push({ tensor });
      return;
    }
    if (!this.#openSpill) {
      throw new AvocetError(
        "runtime/out-of-memory",
        `expected the activations to fit into ${this.#budget} bytes, they need more`,
        { hint: "give fewer samples or a larger budget: there is no disk here to put them on" },
      );
    }
    this.#spill ??= await this.#openSpill();
    const at = await this.#spill.write(tensor.bytes);
    slot.batches.push({ dtype: tensor.dtype, shape: tensor.shape, at, length: bytes });
  }

  async get(slot: Slot, batch: number): Promise<Tensor> {
    const stored = slot.batches[batch]!;
    if ("tensor" in stored) return stored.tensor;
    return Tensor.fromBytes(stored.dtype, stored.shape, await this.#spill!.read(stored.at, stored.length));
  }

  /** Forgets one batch of a slot, or all. */
  drop(slot: Slot, batch?: number): void {
    if (batch === undefined) {
      for (let i = 0; i < slot.batches.length; i++) this.drop(slot, i);
      return;
    }
    const stored = slot.batches[batch];
    if (!stored) return;
    if ("tensor" in stored) this.#inMemory -= byteLength(stored.tensor.dtype, sizeOf(stored.tensor.shape));
    else this.#spill!.free(stored.at, stored.length);
    slot.batches[batch] = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#spill?.[Symbol.asyncDispose]();
    this.#spill = undefined;
    this.#inMemory = 0;
  }
}
