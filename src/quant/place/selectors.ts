/**
 * What users point at in a model: node names, names of values, operator types, /regular expressions/, and FROM..TO, which is what
 * lies between two of them.
 */
import { RE2JS } from "re2js";
import { AvocetError, nearest } from "../../base/inner.ts";
import type { Model, Node, Value } from "../../ir/inner.ts";

/** What a selector stands for. */
export interface Selected {
  readonly nodes: readonly Node[];
  /** Inputs of the model and constants, which no node returns. */
  readonly values: readonly Value[];
}

/**
 * What each selector stands for, in their order. One is tried as the exact name of a node or of a value (that of a node's output stands
 * for the node), then as an operator type, then, between slashes, as a regular expression on names of nodes and their outputs, then as
 * FROM..TO: the nodes on the way from one to the other; a node's name includes the node, a value's what returns it (TO) or reads it
 * (FROM), nothing the inputs or the outputs of the model. Throws `quant/no-such-value` with the nearest names when one selects nothing,
 * and `usage/bad-value` for a broken expression.
 */
export function select(model: Model, selectors: readonly string[]): Selected[] {
  const nodes = [...model.graph.nodes];
  const found = selectors.map((selector) => selectOne(model, nodes, selector));
  const missed = selectors.filter((_, i) => found[i]!.nodes.length + found[i]!.values.length === 0);
  if (missed.length > 0) {
    const names = [...new Set(nodes.flatMap((node) => [node.op, ...namesOf(node)]))];
    const near = missed.flatMap((one) => nearEnds(one, model, names) ?? nearest(one, names, 3));
    throw new AvocetError(
      "quant/no-such-value",
      `expected names of nodes, values or operators, got ${missed.join(", ")}`,
      {
        at: model.source ?? model.graph.name,
        hint: near.length > 0 ? `did you mean ${near.join(", ")}?` : "`avocet inspect` lists the operators of a model",
      },
    );
  }
  return found;
}

/** For FROM..TO with an end that the model lacks: the selector with the nearest name there. */
function nearEnds(selector: string, model: Model, names: readonly string[]): string[] | undefined {
  const cut = selector.indexOf("..");
  if (cut < 0 || /^\/.+\/[imsu]*$/.test(selector)) return undefined;
  const values = model.graph.valuesByName();
  const ends = [...names, ...values.keys()];
  const [from, to] = [selector.slice(0, cut), selector.slice(cut + 2)].map((end) =>
    end === "" || ends.includes(end) ? [end] : nearest(end, ends, 3),
  );
  return from!.flatMap((start) => to!.map((end) => `${start}..${end}`)).filter((one) => one !== selector);
}

function namesOf(node: Node): string[] {
  return [node.name, ...node.outputs.map((value) => value.name)].filter((name) => name !== "");
}

function selectOne(model: Model, nodes: readonly Node[], selector: string): Selected {
  const exact = nodes.filter((node) => namesOf(node).includes(selector));
  if (exact.length > 0) return { nodes: exact, values: [] };
  const value = [...model.graph.inputs, ...model.graph.initializers].find(({ name }) => name === selector);
  if (value) return { nodes: [], values: [value] };
  const typed = nodes.filter((node) => node.op === selector || node.opName === selector);
  if (typed.length > 0) return { nodes: typed, values: [] };
  const between = /^\/(.+)\/([imsu]*)$/.exec(selector);
  if (between) {
    const expression = expressionOf(between[1]!, between[2]!, selector);
    return { nodes: nodes.filter((node) => namesOf(node).some((name) => expression.matcher(name).find())), values: [] };
  }
  return { nodes: subgraphOf(model, nodes, selector), values: [] };
}

/** The nodes that depend on FROM and that TO depends on. */
function subgraphOf(model: Model, nodes: readonly Node[], selector: string): readonly Node[] {
  const cut = selector.indexOf("..");
  if (cut < 0) return [];
  const [from, to] = [selector.slice(0, cut), selector.slice(cut + 2)];
  const values = model.graph.valuesByName();
  const named = (name: string) => nodes.find((node) => node.name === name);
  const starts = from === "" ? nodes.filter(readsInput) : (one(named(from)) ?? values.get(from)?.consumers());
  const ends =
    to === ""
      ? model.graph.outputs.flatMap(({ producer }) => producer ?? [])
      : (one(named(to)) ?? one(values.get(to)?.producer));
  if (!starts || !ends) return [];
  const behind = reachable(starts, (node) => node.outputs.flatMap((value) => value.consumers()));
  const before = reachable(ends, (node) => node.inputs.flatMap((value) => value?.producer ?? []));
  return nodes.filter((node) => behind.has(node) && before.has(node));
}

function one(node: Node | null | undefined): readonly Node[] | undefined {
  return node ? [node] : undefined;
}

function readsInput(node: Node): boolean {
  return node.inputs.some((value) => value?.isGraphInput && !value.initializer);
}

function reachable(starts: readonly Node[], next: (node: Node) => readonly Node[]): Set<Node> {
  const found = new Set(starts);
  const open = [...starts];
  for (let node = open.pop(); node; node = open.pop()) {
    for (const other of next(node)) {
      if (found.has(other)) continue;
      found.add(other);
      open.push(other);
    }
  }
  return found;
}

const flags = { i: RE2JS.CASE_INSENSITIVE, m: RE2JS.MULTILINE, s: RE2JS.DOTALL, u: 0 } as const;

/**
 * RE2's expressions, which take time in proportion to the name: JavaScript's own can take for ever on a name that a stranger
 * chose, and nothing can interrupt them.
 */
function expressionOf(pattern: string, letters: string, selector: string): RE2JS {
  const bits = [...letters].reduce((sum, letter) => sum | flags[letter as keyof typeof flags], 0);
  try {
    return RE2JS.compile(pattern, bits);
  } catch (cause) {
    throw new AvocetError("usage/bad-value", `expected a regular expression, got ${selector}`, {
      hint: `RE2's syntax, which has no look-around and no back-references: ${(cause as Error).message}`,
      cause,
    });
  }
}
