/** Matrix products: they need the source's order, which one transpose makes where it is not there. */
import type { Dim } from "../../ir/inner.ts";
import { broadcastShape } from "./elementwise.ts";
import type { Emitter } from "./emitter.ts";
import { sourceOrder, type Term } from "./term.ts";

/** The product of matrices in the last two axes; those before broadcast. A transposed constant is moved on the host. */
export function matMul(e: Emitter, a: Term, b: Term, transposeA = false, transposeB = false): Term {
  if (a.shape.length < 2 || b.shape.length < 2)
    throw e.broken(`expected matrices, got [${a.shape.join(",")}] and [${b.shape.join(",")}]`);
  const [x, y] = [turned(a, transposeA), turned(b, transposeB)];
  const [k, l] = [x.shape.at(-1)!, y.shape.at(-2)!];
  if (typeof k === "number" && typeof l === "number" && k !== l)
    throw e.broken(`expected matrices that fit, got ${k} columns and ${l} rows`);
  const lead = broadcastShape(e, [headOf(a), headOf(b)]);
  const value = e.node("MatMul", [e.value(a, x.order), e.value(b, y.order)]).output;
  return e.term(value, a.dtype, [...lead, x.shape.at(-2)!, y.shape.at(-1)!]);
}

function turned(term: Term, swap: boolean): { shape: readonly Dim[]; order: readonly number[] } {
  const order = [...sourceOrder(term.shape.length)];
  if (swap) order.push(...order.splice(-2).reverse());
  return { order, shape: order.map((axis) => term.shape[axis]!) };
}

const headOf = (term: Term): Term => ({ ...term, shape: term.shape.slice(0, -2) });

/** x · w + b on the last axis: w is [in, out], b is [out]. */
export function dense(e: Emitter, x: Term, weight: Term, bias?: Term, transposeB = false): Term {
  const rank = x.shape.length;
  const [rows, columns] = transposeB ? [...weight.shape].reverse() : weight.shape;
  if (weight.shape.length !== 2 || rows === undefined || columns === undefined)
    throw e.broken(`expected a matrix of weights, got [${weight.shape.join(",")}]`);
  const inputs = x.shape[rank - 1];
  if (typeof inputs === "number" && typeof rows === "number" && inputs !== rows)
    throw e.broken(`expected weights of ${inputs} rows, got ${rows}`);
  if (rank !== 2 || !bias) {
    const product = matMul(e, x, weight, false, transposeB);
    if (!bias) return product;
    const value = e.node("Add", [e.value(product), e.value(bias)]).output;
    return e.term(value, x.dtype, product.shape);
  }
  const order = transposeB ? [1, 0] : [0, 1];
  const value = e.node("Gemm", [e.value(x), e.value(weight, order), e.value(bias)]).output;
  return e.term(value, x.dtype, [x.shape[0]!, columns]);
}
