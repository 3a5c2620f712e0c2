/** The reconstruction error of every row, dᵀH d + 2 dᵀt, as one product in the runtime; of given integers, or of rounding to nearest. */
import { addNode, Graph, Model, tensorType, type Value } from "../../ir/inner.ts";
import type { Runtime, Session } from "../../runtime/inner.ts";
import { type Feeds, Tensor } from "../../tensor/inner.ts";
import type { RoundingProblem } from "./rounding-problem.ts";

/** What an error needs to know of a problem beside the grid. */
export type JudgedRows = Pick<RoundingProblem, "groups" | "outputs" | "columns" | "weight" | "h" | "t">;

/** A grid for each row (one number a row), or for each element (as many numbers as the matrix has). */
export interface RowGrid {
  readonly scale: Float32Array;
  /** Lowest and highest integer of Ŵ / s. */
  readonly low: Float32Array;
  readonly high: Float32Array;
}

export class RowErrors implements AsyncDisposable {
  readonly #given: Session;
  readonly #rounding: Session;
  #kept: { h: Float64Array; t: Float64Array; feeds: { weight: Tensor; h: Tensor; t: Tensor } } | null = null;

  private constructor(given: Session, rounding: Session) {
    this.#given = given;
    this.#rounding = rounding;
  }

  static async open(runtime: Runtime, threads?: number): Promise<RowErrors> {
    const options = threads === undefined ? {} : { threads };
    return new RowErrors(
      await runtime.open(rowErrorGraph("given"), options),
      await runtime.open(rowErrorGraph("nearest"), options),
    );
  }

  /** One number a row, [groups · outputs]. D is small where Ŵ is near W: float32 is enough, as no large terms cancel. */
  async of(problem: RoundingProblem, integers: Float64Array): Promise<Float32Array> {
    const { groups, outputs, columns, weight, scale } = problem;
    const d = new Float32Array(weight.length);
    for (let i = 0; i < d.length; i++) d[i] = scale[i]! * integers[i]! - weight[i]!;
    const { h, t } = this.#constants(problem);
    return await errorsOf(this.#given, { d: Tensor.float32([groups, outputs, columns], d), h, t });
  }

  /** The same for the nearest integers on this grid, ties to even; the problem's own scales do not matter. */
  async ofNearest(problem: JudgedRows, { scale, low, high }: RowGrid): Promise<Float32Array> {
    const { groups, outputs } = problem;
    const shape = [groups, outputs, scale.length / groups / outputs];
    const [s, from, to] = [scale, low, high].map((values) => Tensor.float32(shape, values));
    return await errorsOf(this.#rounding, { ...this.#constants(problem), scale: s!, low: from!, high: to! });
  }

  /** What stays while the same layer is in hand, in float32. */
  #constants({ groups, outputs, columns, weight, h, t }: JudgedRows) {
    if (this.#kept?.h !== h || this.#kept.t !== t) {
      const rows = (values: Float64Array) => Tensor.float32([groups, outputs, columns], Float32Array.from(values));
      const matrix = Tensor.float32([groups, columns, columns], Float32Array.from(h));
      this.#kept = { h, t, feeds: { weight: rows(weight), h: matrix, t: rows(t) } };
    }
    return this.#kept.feeds;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#given[Symbol.asyncDispose]();
    await this.#rounding[Symbol.asyncDispose]();
  }
}

async function errorsOf(session: Session, feeds: Feeds): Promise<Float32Array> {
  const { errors } = await session.run(feeds);
  return errors!.floats();
}

/** With "given", D is an input; with "nearest" it is s · clip(round(W / s), low, high) − W. */
function rowErrorGraph(kind: "given" | "nearest"): Model {
  const graph = new Graph("row_errors");
  const rows = tensorType("float32", ["groups", "outputs", "columns"]);
  const d = kind === "given" ? graph.addInput("d", rows) : roundedDifference(graph);
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

function roundedDifference(graph: Graph): Value {
  const weight = graph.addInput("weight", tensorType("float32", ["groups", "outputs", "columns"]));
  const [scale, low, high] = ["scale", "low", "high"].map((name) =>
    graph.addInput(name, tensorType("float32", ["groups", "outputs", "scales"])),
  ) as [Value, Value, Value];
  const nearest = addNode(graph, "Round", [addNode(graph, "Div", [weight, scale]).output]).output;
  const inside = addNode(graph, "Min", [addNode(graph, "Max", [nearest, low]).output, high]).output;
  return addNode(graph, "Sub", [addNode(graph, "Mul", [inside, scale]).output, weight]).output;
}
