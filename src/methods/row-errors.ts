/** The reconstruction error of every row, dᵀH d + 2 dᵀt, as one product in the runtime. */
import { addNode, Graph, Model, tensorType } from "../ir/index.ts";
import type { Runtime, Session } from "../runtime/index.ts";
import { Tensor } from "../tensor/index.ts";
import type { RoundingProblem } from "./rounding-problem.ts";

export class RowErrors implements AsyncDisposable {
  readonly #session: Session;
  #kept: { h: Float64Array; tensor: Tensor } | null = null;

  private constructor(session: Session) {
    this.#session = session;
  }

  static async open(runtime: Runtime, threads?: number): Promise<RowErrors> {
    return new RowErrors(await runtime.open(rowErrorGraph(), threads === undefined ? {} : { threads }));
  }

  /** One number a row, [groups · outputs]. D is small where Ŵ is near W: float32 is enough, as no large terms cancel. */
  async of(problem: RoundingProblem, integers: Float64Array): Promise<Float32Array> {
    const { groups, outputs, columns, weight, scale, t } = problem;
    const shape = [groups, outputs, columns];
    const d = new Float32Array(weight.length);
    for (let i = 0; i < d.length; i++) d[i] = scale[i]! * integers[i]! - weight[i]!;
    const results = await this.#session.run({
      d: Tensor.float32(shape, d),
      h: this.#matrix(problem),
      t: Tensor.float32(shape, Float32Array.from(t)),
    });
    return results.errors!.floats();
  }

  /** H in float32, kept while the same layer is in hand. */
  #matrix({ h, groups, columns }: RoundingProblem): Tensor {
    if (this.#kept?.h !== h)
      this.#kept = { h, tensor: Tensor.float32([groups, columns, columns], Float32Array.from(h)) };
    return this.#kept.tensor;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}

function rowErrorGraph(): Model {
  const graph = new Graph("row_errors");
  const rows = tensorType("float32", ["groups", "outputs", "columns"]);
  const d = graph.addInput("d", rows);
  const h = graph.addInput("h", tensorType("float32", ["groups", "columns", "columns"]));
  const t = graph.addInput("t", rows);
  const two = graph.addInitializer("two", Tensor.scalar(2));
  const last = graph.addInitializer("last_axis", Tensor.int64([1], [2]));
  const product = addNode(graph, "MatMul", [d, h]).output;
  const inner = addNode(graph, "Add", [product, addNode(graph, "Mul", [t, two]).output]).output;
  const errors = addNode(
    graph,
    "ReduceSum",
    [addNode(graph, "Mul", [d, inner]).output, last],
    { keepdims: 0 },
    { output: "errors" },
  ).output;
  errors.type = tensorType("float32", ["groups", "outputs"]);
  graph.addOutput(errors);
  return new Model(graph, [["", 21]]);
}
