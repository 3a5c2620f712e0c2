/** Rules: local edits that say what they match, when they refuse and why, and what they build. */
import { isRefused, type Refused } from "../base/inner.ts";
import { withSubgraphs } from "../facts/inner.ts";
import type { Graph, Model, Node } from "../ir/inner.ts";
import type { Pass } from "./pass.ts";

/** One local edit, anchored at a node. `Match` is all that matching found out; nothing else is remembered. */
export interface RuleSpec<Match> {
  readonly name: string;
  /** What the rule needs to know of the place around this node, or undefined where it has no business. */
  match(node: Node): Match | undefined;
  /** Whether the edit keeps the function of the model; a refusal says why not. Default: it always does. */
  check?(match: Match): true | Refused;
  rewrite(match: Match, graph: Graph): void;
}

/** What became of a rule at a node. */
export type Outcome = "no match" | "rewritten" | Refused;

export interface Rule {
  readonly name: string;
  /** Tries the rule at a node and edits the graph. */
  apply(node: Node): Outcome;
  /** The reason for which the rule would leave this node alone; undefined when it would rewrite it. Edits nothing. */
  why(node: Node): string | undefined;
}

/** Makes a rule of its three parts. */
export function rule<Match>(spec: RuleSpec<Match>): Rule {
  const judge = (node: Node): { match: Match } | Refused | undefined => {
    const match = spec.match(node);
    if (match === undefined) return undefined;
    const answer = spec.check?.(match) ?? true;
    return isRefused(answer) ? answer : { match };
  };
  return {
    name: spec.name,
    apply(node) {
      const verdict = judge(node);
      if (!verdict) return "no match";
      if (isRefused(verdict)) return verdict;
      spec.rewrite(verdict.match, node.graph!);
      return "rewritten";
    },
    why(node) {
      const verdict = judge(node);
      if (!verdict) return `${spec.name} looks for something else than ${node}`;
      return isRefused(verdict) ? verdict.refused : undefined;
    },
  };
}

/** Why a rule leaves a node alone; undefined when it would rewrite it. */
export function why(of: Rule, node: Node): string | undefined {
  return of.why(node);
}

/**
 * The pass that tries the rules, in this order, at every node of the model, subgraphs included. The bodies of functions
 * are not touched: they cannot hold constants, and inlining makes them part of the graph.
 */
export function passOf(name: string, rules: readonly Rule[]): Pass {
  return {
    name,
    run(model: Model, note) {
      let edits = 0;
      for (const graph of withSubgraphs(model.graph)) {
        for (const node of graph.nodes) {
          for (const one of rules) {
            if (node.graph !== graph) break;
            const outcome = one.apply(node);
            if (outcome === "rewritten") edits++;
            else if (isRefused(outcome)) note?.(node, outcome.refused);
          }
        }
      }
      return edits;
    },
  };
}
