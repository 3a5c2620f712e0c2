/**
 * The states of recurrent operators, as AIMET ties them: what a RNN, GRU or LSTM reads, all of its hidden states and the first of them
 * share one encoding, its cell states another. A layer above another one makes one group of both. None of the values holds the numbers of
 * the others, so the common range is that of all of them.
 */
import { isRecurrent } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import { type Decision, originOf } from "./place-by-rule.ts";

/**
 * Adds the groups to `shared` (value → whose encoding it shares), and returns the values that count for the common range. AIMET's order: of
 * several operators that read one input the last one takes it along.
 */
export function tieStates(
  nodes: Iterable<Node>,
  decided: ReadonlyMap<Value, Decision>,
  shared: Map<Value, Value>,
): ReadonlySet<Value> {
  const root = (value: Value) => {
    let at = value;
    for (let next = shared.get(at); next; next = shared.get(at)) at = next;
    return at;
  };
  const origin = (value: Value | null | undefined) => {
    const found = value ? originOf(value, decided) : undefined;
    return found && root(found);
  };
  const into = new Map<Value, Value>();
  for (const node of nodes) {
    if (!isRecurrent(node)) continue;
    const [y, last, cell] = node.outputs.map(origin);
    const hidden = y ?? last;
    const join = (from: Value | undefined, to: Value | undefined) => {
      if (from && to && from !== to) into.set(from, to);
    };
    join(origin(node.input(0)), hidden);
    join(last, hidden);
    join(origin(node.input(5)), hidden);
    if (node.op === "LSTM") join(origin(node.input(6)), cell);
  }
  const counted = new Set<Value>();
  for (const [from, to] of into) {
    const head = root(to);
    if (head === root(from)) continue;
    shared.set(root(from), head);
    counted.add(from);
  }
  return counted;
}
