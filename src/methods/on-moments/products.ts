/** Products of matrices in float64, in the runtime. */
import { addNode, Graph, Model, tensorType } from "../../ir/inner.ts";
import type { Runtime, Session } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";

export class Products implements AsyncDisposable {
  readonly #session: Session;

  private constructor(session: Session) {
    this.#session = session;
  }

  static async open(runtime: Runtime, threads?: number): Promise<Products> {
    return new Products(await runtime.open(productGraph(), threads === undefined ? {} : { threads }));
  }

  /** A·B for A [m, k] and B [k, n], row-major. */
  async multiply(
    a: Float64Array,
    b: Float64Array,
    [m, k, n]: readonly [number, number, number],
  ): Promise<Float64Array> {
    const { product } = await this.#session.run({
      a: Tensor.of("float64", [m, k], a),
      b: Tensor.of("float64", [k, n], b),
    });
    return product!.data as Float64Array;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}

function productGraph(): Model {
  const graph = new Graph("product");
  const a = graph.addInput("a", tensorType("float64", ["m", "k"]));
  const b = graph.addInput("b", tensorType("float64", ["k", "n"]));
  const product = addNode(graph, "MatMul", [a, b], {}, { output: "product" }).output;
  product.type = tensorType("float64", ["m", "n"]);
  graph.addOutput(product);
  return new Model(graph, [["", 21]]);
}
