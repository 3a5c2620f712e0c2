/**
 * Sequences and optionals. A sequence has no gradient of its own: what reads elements of one that was built of tensors in
 * the same graph gives those tensors theirs.
 */
import type { Node, Value } from "../../../ir/inner.ts";
import type { Shape } from "../../../tensor/inner.ts";
import type { Backward, GradientRow, InputGradients } from "../../rule.ts";

/** An element: a tensor, or a stretch of one along an axis (`squeezed`: without that axis). */
interface Element {
  readonly value: Value;
  readonly stretch?: {
    readonly axis: number;
    readonly start: number;
    readonly end: number;
    readonly squeezed: boolean;
  };
}

/** What a sequence holds, from the nodes that built it. */
function elementsOf(b: Backward, sequence: Value): Element[] {
  const node = sequence.producer;
  switch (node?.op) {
    case "SequenceEmpty":
      return [];
    case "SequenceConstruct":
      return node.inputs.map((value) => ({ value: value! }));
    case "SplitToSequence":
      return partsOf(b, node);
    case "SequenceInsert": {
      const elements = elementsOf(b, node.input(0)!);
      const at = positionOf(b, node.input(2), elements.length);
      return elements.toSpliced(at ?? elements.length, 0, { value: node.input(1)! });
    }
    case "SequenceErase": {
      const elements = elementsOf(b, node.input(0)!);
      return elements.toSpliced(positionOf(b, node.input(1), elements.length) ?? -1, 1);
    }
    default:
      throw b.refusal(`what the sequence ${sequence.name} holds is not known before it runs`);
  }
}

function partsOf(b: Backward, node: Node): Element[] {
  const value = node.input(0)!;
  const shape = b.shape(value);
  const axis = (node.int("axis", 0) + shape.length) % shape.length;
  const split = node.input(1);
  const length = shape[axis]!;
  const squeezed = split === null && node.int("keepdims", 1) === 0;
  const lengths = split ? lengthsOf(b, split, length) : Array<number>(length).fill(1);
  let start = 0;
  return lengths.map((part) => {
    const stretch = { axis, start, end: start + part, squeezed };
    start += part;
    return { value, stretch };
  });
}

/** A scalar is the length of every part but the last. */
function lengthsOf(b: Backward, split: Value, total: number): number[] {
  const tensor = b.constantOf(split);
  if (!tensor) throw b.refusal(`the lengths ${split.name} are computed`);
  if (tensor.shape.length > 0) return tensor.numbers();
  const [each] = tensor.numbers() as [number];
  return Array.from({ length: Math.ceil(total / each) }, (_, i) => Math.min(each, total - i * each));
}

function positionOf(b: Backward, position: Value | null, count: number): number | null {
  if (position === null) return null;
  const tensor = b.constantOf(position);
  if (!tensor) throw b.refusal(`the position ${position.name} in its sequence is computed`);
  const [at] = tensor.numbers() as [number];
  return at < 0 ? at + count : at;
}

/** Gives an element's gradient to the tensor that it is, or is a part of. */
function giveTo(b: Backward, { value, stretch }: Element, gradient: Value): void {
  if (!b.wantsValue(value)) return;
  if (!stretch) {
    b.give(value, gradient);
    return;
  }
  const { axis, start, end } = stretch;
  const whole = b.shape(value);
  const part: Shape = whole.map((length, i) => (i === axis ? end - start : length));
  const before = whole.map((_, i) => (i === axis ? start : 0));
  const after = whole.map((length, i) => (i === axis ? length - end : 0));
  b.give(value, b.op("Pad", [b.reshape(gradient, part), b.ints([...before, ...after])]));
}

function shapeOf(b: Backward, { value, stretch }: Element): Shape {
  const whole = b.shape(value);
  if (!stretch) return whole;
  const part = whole.map((length, i) => (i === stretch.axis ? stretch.end - stretch.start : length));
  return stretch.squeezed ? part.toSpliced(stretch.axis, 1) : part;
}

function sequenceAt(b: Backward): InputGradients {
  const elements = elementsOf(b, b.input(0));
  giveTo(b, elements[positionOf(b, b.input(1), elements.length)!]!, b.dy);
  return [];
}

function concatFromSequence(b: Backward): InputGradients {
  const rank = b.outShape.length;
  const axis = (b.node.int("axis", 0) + rank) % rank;
  const isNew = b.node.int("new_axis", 0) !== 0;
  let at = 0;
  for (const element of elementsOf(b, b.input(0))) {
    const shape = shapeOf(b, element);
    const length = isNew ? 1 : shape[axis]!;
    const part = b.slice(b.dy, [axis], [at], [at + length]);
    giveTo(b, element, isNew ? b.reshape(part, shape) : part);
    at += length;
  }
  return [];
}

/** An optional that holds a tensor, or the tensor itself. */
function optionalGetElement(b: Backward): InputGradients {
  const { producer } = b.input(0);
  if (producer?.op !== "Optional") return [b.dy];
  b.give(producer.input(0)!, b.dy);
  return [];
}

/** The row of operators that make sequences and optionals. */
export const sequenceElements = {
  none: "it gives no tensor; what reads its elements hands their gradients to the tensors they came from",
} as const;

const counts = { flat: "counts and truth values have no gradient" } as const;

export const containers = {
  ConcatFromSequence: concatFromSequence,
  Optional: sequenceElements,
  OptionalGetElement: optionalGetElement,
  OptionalHasElement: counts,
  SequenceAt: sequenceAt,
  SequenceConstruct: sequenceElements,
  SequenceEmpty: sequenceElements,
  SequenceErase: sequenceElements,
  SequenceInsert: sequenceElements,
  SequenceLength: counts,
} satisfies Record<string, GradientRow>;
