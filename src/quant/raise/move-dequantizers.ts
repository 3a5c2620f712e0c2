/**
 * Integers that are only moved (MaxPool, Transpose, Reshape, a Gather of rows …) before they are dequantized: the dequantizer goes in front of what
 * moves them, where their quantizer or their constant is. Scales are positive, so that the order of numbers stays, and moving is exact either way.
 */
import { addNode, type Graph, type Model, type Node, type Value } from "../../ir/inner.ts";
import { rowOf } from "../../ops/inner.ts";
import { Tensor } from "../../tensor/inner.ts";

const isDequantizer = (node: Node) => node.op === "DequantizeLinear";

export function moveDequantizers(model: Model): void {
  const { graph } = model;
  for (const node of [...graph.nodes]) if (picksPosition(node)) dequantizeInput(graph, node);
  const waiting = [...graph.nodes].filter(isDequantizer);
  for (let node = waiting.pop(); node; node = waiting.pop()) {
    if (node.graph !== graph) continue;
    const mover = node.input(0)?.producer;
    if (!mover?.input(0) || mover.graph !== graph || !moves(mover)) continue;
    const readers = mover.outputs.flatMap((value) => value.consumers());
    const scale = node.input(1)?.initializer;
    const known =
      mover.outputs.every((value) => !value.isGraphOutput) && readers.every((one) => sameQuantizer(one, node!));
    if (!known || scale?.size !== 1) continue;
    waiting.push(moveOne(graph, node, mover, readers, model.opset));
  }
}

function moveOne(graph: Graph, node: Node, mover: Node, readers: readonly Node[], opset: number): Node {
  const source = mover.input(0)!;
  const [scale, zero] = [node.input(1), node.input(2)];
  const place = { before: mover };
  const made = addNode(
    graph,
    "DequantizeLinear",
    [source, scale, zero],
    {},
    { output: `${source.name}_dequantized`, place },
  );
  graph.setInput(mover, 0, made.output);
  if (mover.op === "Pad") padWithFloats(graph, mover, scale!, zero, opset);
  for (const value of mover.outputs)
    if (value.type?.kind === "tensor") value.type = { ...value.type, dtype: "float32" };
  for (const reader of readers) {
    graph.replaceUses(reader.output, reader.input(0)!);
    graph.remove(reader);
  }
  return made;
}

/** ArgMax of integers is that of the numbers they stand for; its result has no quantizer of its own. */
function picksPosition({ op }: Node): boolean {
  return op === "ArgMax" || op === "ArgMin";
}

function dequantizeInput(graph: Graph, node: Node): void {
  const quantize = node.input(0)?.producer;
  if (quantize?.op !== "QuantizeLinear") return;
  const inputs = [quantize.output, quantize.input(1), quantize.input(2)];
  const output = `${quantize.output.name}_dequantized`;
  graph.setInput(node, 0, addNode(graph, "DequantizeLinear", inputs, {}, { output, place: { before: node } }).output);
}

/** What a Pad of integers is filled with has the same grid; without a number it is the integer 0. */
function padWithFloats(graph: Graph, pad: Node, scale: Value, zero: Value | null, opset: number): void {
  if (opset < 11) return;
  const fill = pad.input(2)?.initializer?.numbers()[0] ?? 0;
  const point = zero?.initializer?.numbers()[0] ?? 0;
  const number = Tensor.scalar((fill - point) * scale.initializer!.floats()[0]!);
  graph.setInput(pad, 2, graph.addInitializer(`${pad.output.name}_fill`, number));
}

function moves(node: Node): boolean {
  if (node.op === "Pad" && node.input(2) && !node.input(2)!.initializer) return false;
  if (node.op === "Resize") return node.string("mode", "nearest") === "nearest";
  return node.op !== "SplitToSequence" && rowOf(node)?.movesData === true;
}

function sameQuantizer(a: Node, b: Node): boolean {
  return isDequantizer(a) && [1, 2].every((i) => sameConstant(a.input(i), b.input(i)));
}

function sameConstant(a: Value | null, b: Value | null): boolean {
  if (a === b) return true;
  const [x, y] = [a?.initializer, b?.initializer];
  return (
    x !== undefined &&
    y !== undefined &&
    x.dtype === y.dtype &&
    x.size === 1 &&
    y.size === 1 &&
    x.numbers()[0] === y.numbers()[0]
  );
}
