/** What the user wants to stay in float: node names, names of their outputs, /regular expressions/, operator types. */
import { RE2JS } from "re2js";
import { AvocetError, nearest } from "../../base/inner.ts";
import type { Model, Node } from "../../ir/inner.ts";

/**
 * The nodes that the selectors name, each with the selector that did. A selector is tried as the exact name of a node or of a
 * value, then as an operator type, then, between slashes, as a regular expression on those names. Throws
 * `quant/no-such-value` with the nearest names when one selects nothing, and `usage/bad-value` for a broken expression.
 */
export function selectNodes(model: Model, selectors: readonly string[]): Map<Node, string> {
  const nodes = [...model.graph.nodes];
  const found = new Map<Node, string>();
  const missed: string[] = [];
  for (const selector of selectors) {
    const chosen = select(nodes, selector);
    if (chosen.length === 0) missed.push(selector);
    for (const node of chosen) if (!found.has(node)) found.set(node, selector);
  }
  if (missed.length > 0) {
    const names = [...new Set(nodes.flatMap((node) => [node.op, ...namesOf(node)]))];
    const near = missed.flatMap((one) => nearest(one, names, 3));
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

function namesOf(node: Node): string[] {
  return [node.name, ...node.outputs.map((value) => value.name)].filter((name) => name !== "");
}

function select(nodes: readonly Node[], selector: string): readonly Node[] {
  const exact = nodes.filter((node) => namesOf(node).includes(selector));
  if (exact.length > 0) return exact;
  const typed = nodes.filter((node) => node.op === selector || node.opName === selector);
  if (typed.length > 0) return typed;
  const between = /^\/(.+)\/([imsu]*)$/.exec(selector);
  if (!between) return [];
  const expression = expressionOf(between[1]!, between[2]!, selector);
  return nodes.filter((node) => namesOf(node).some((name) => expression.matcher(name).find()));
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
