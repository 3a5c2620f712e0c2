/** Control flow: other graphs of the file become bodies of If and Loop. */
import type { Dim } from "../../../ir/inner.ts";
import type { Emitter } from "../../channels-last/emitter.ts";
import type { Term } from "../../channels-last/term.ts";
import type { Call, Row } from "../call.ts";

/** A scalar that decides: TFLite may have it as [1]. */
function decision(c: Call, e: Emitter, term: Term): Term {
  if (term.dtype !== "bool") throw c.e.broken(`expected a condition of type bool, got ${term.dtype}`);
  if (term.shape.length === 0) return term;
  return e.term(e.node("Reshape", [e.value(term), e.ints([])]).output, "bool", []);
}

/** What both branches agree on. */
function common(c: Call, a: Term, b: Term): readonly Dim[] {
  if (a.dtype !== b.dtype || a.shape.length !== b.shape.length)
    throw c.e.broken("expected branches with the same results");
  return a.shape.map((dim, axis) => (dim === b.shape[axis] ? dim : null));
}

const branch: Row = (c) => {
  const o = c.options({ yes: "i32", no: "i32" });
  const inputs = c.op.inputs.slice(1).map((_, i) => c.x(i + 1));
  const condition = decision(c, c.e, c.x(0));
  const [yes, no] = [o.yes, o.no].map((graph, i) => {
    const e = c.e.body(i === 0 ? "then" : "else");
    const results = c.around.inline(graph, e, inputs);
    for (const [at, result] of results.entries()) e.output(`${c.e.name}/${i === 0 ? "then" : "else"}:${at}`, result);
    return { e, results };
  });
  if (yes!.results.length !== no!.results.length) throw c.e.broken("expected branches with the same results");
  const attributes = { then_branch: yes!.e.graph, else_branch: no!.e.graph };
  const node = c.e.node("If", [c.e.value(condition)], attributes, yes!.results.length);
  return yes!.results.map((result, i) => c.e.term(node.outputs[i]!, result.dtype, common(c, result, no!.results[i]!)));
};

/** The condition is asked before the loop, and at the end of each turn. */
const loop: Row = (c) => {
  const { condition, body } = c.options({ condition: "i32", body: "i32" });
  const start = c.all();
  const declared = c.around.other(body);
  if (declared.inputs.length !== start.length || declared.outputs.length !== start.length) {
    throw c.e.broken(`expected a loop body with ${start.length} inputs and outputs`);
  }
  const first = decision(c, c.e, onlyOne(c, c.around.inline(condition, c.e, start)));
  const e = c.e.body("body");
  const name = c.e.name;
  e.input(`${name}/turn`, "int64", []);
  e.input(`${name}/goes_on`, "bool", []);
  const shapes = declared.inputs.map((index, i): readonly Dim[] => {
    const shape = declared.tensors[index]?.shape ?? [];
    // Some converters leave the shape of a carried value open by saying nothing.
    return shape.length === start[i]!.shape.length
      ? shape.map((length) => (length < 0 ? null : length))
      : start[i]!.shape.map(() => null);
  });
  const carried = start.map((term, i) => e.input(`${name}/carried:${i}`, term.dtype, shapes[i]!));
  const results = c.around.inline(body, e, carried);
  e.output(`${name}/again`, decision(c, e, onlyOne(c, c.around.inline(condition, e, results))));
  for (const [i, result] of results.entries()) e.output(`${name}/next:${i}`, result);
  const inputs = [null, c.e.value(first), ...start.map((term) => c.e.value(term))];
  const node = c.e.node("Loop", inputs, { body: e.graph }, results.length);
  return results.map((result, i) => c.e.term(node.outputs[i]!, result.dtype, shapes[i]!));
};

function onlyOne(c: Call, results: readonly Term[]): Term {
  if (results.length === 1) return results[0]!;
  throw c.e.broken(`expected one condition, got ${results.length} results`);
}

export const controlRows = {
  IF: branch,
  WHILE: loop,
  CALL: (c) => c.around.inline(c.options({ graph: "i32" }).graph, c.e, c.all()),
  // Only sets up variables and tables, whose readers are refused by themselves.
  CALL_ONCE: () => [],
} satisfies Record<string, Row>;
