/** Products of weights with an orthogonal matrix, block by block along an axis, computed by the runtime in float64. */
import { type Model, parseModel } from "../../ir/inner.ts";
import type { Runtime, Session } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { inverse, type Orthogonal } from "./orthogonal.ts";

export class Products implements AsyncDisposable {
  readonly #right: Session;
  readonly #left: Session;

  private constructor(right: Session, left: Session) {
    this.#right = right;
    this.#left = left;
  }

  static async open(runtime: Runtime): Promise<Products> {
    return new Products(await runtime.open(graph("MatMul(wide, m)")), await runtime.open(graph("MatMul(m, wide)")));
  }

  /** Each run of M's length along the last axis, as a row, times M. */
  async alongLast(tensor: Tensor, { size, entries }: Orthogonal): Promise<Tensor> {
    return await run(this.#right, tensor, [1, tensor.size / size, size], [1, size, size], entries);
  }

  /** Mᵀ times each run of M's length along the first axis of a matrix, as columns: what reads x·M in the place of x. */
  async alongFirst(tensor: Tensor, matrix: Orthogonal): Promise<Tensor> {
    const [rows = 1, columns = 1] = tensor.shape;
    const { size, entries } = inverse(matrix);
    return await run(this.#left, tensor, [rows / size, size, columns], [1, size, size], entries);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#right[Symbol.asyncDispose]();
    await this.#left[Symbol.asyncDispose]();
  }
}

async function run(
  session: Session,
  tensor: Tensor,
  shape: readonly number[],
  square: readonly number[],
  entries: Float64Array,
): Promise<Tensor> {
  const { y } = await session.run({ w: tensor.reshape(shape), m: Tensor.of("float64", square, entries) });
  return y!.reshape(tensor.shape);
}

function graph(product: string): Model {
  return parseModel(`<ir_version: 10, opset_import: ["" : 21]>
    product (float[A,B,C] w, double[1,D,D] m) => (float[A,B,C] y) { wide = Cast<to = 11>(w) p = ${product} y = Cast<to = 1>(p) }`);
}
