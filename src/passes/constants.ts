/** Two spellings of a constant become one: Constant nodes and overridable defaults turn into plain initializers. */
import { refuse } from "../base/inner.ts";
import { isOp, tensorOfConstant } from "../facts/inner.ts";
import type { Node } from "../ir/inner.ts";
import type { Tensor } from "../tensor/inner.ts";
import type { Pass } from "./pass.ts";
import { passOf, rule } from "./rule.ts";

/** A Constant node becomes an initializer of the same name. */
export const hoistConstant = rule<{ node: Node; tensor: Tensor | undefined }>({
  name: "hoist-constants",
  match: (node) => (isOp(node, "Constant") ? { node, tensor: tensorOfConstant(node) } : undefined),
  check: ({ node, tensor }) => {
    if (!tensor) return refuse("its value is sparse, or an attribute of the function around it");
    if (node.output.isGraphOutput) return refuse(`${node.output.name} is a graph output`);
    return true;
  },
  rewrite: ({ node, tensor }, graph) => {
    const old = node.output;
    const made = graph.addInitializer(old.name, tensor!);
    for (const [key, value] of old.metadata) made.metadata.set(key, value);
    graph.replaceUses(old, made);
    const { name } = old;
    graph.remove(node);
    graph.rename(made, name);
  },
});

export const hoistConstants: Pass = passOf("hoist-constants", [hoistConstant]);

/**
 * Initializers that files of IR version 3 and older list among the inputs become plain constants. A caller could feed
 * them something else; nobody who quantizes wants that, and no pass could trust them otherwise.
 */
export const unlistConstants: Pass = {
  name: "unlist-constants",
  run(model) {
    let edits = 0;
    for (const input of [...model.graph.inputs]) {
      if (!input.initializer) continue;
      model.graph.unlistInput(input);
      edits++;
    }
    // Before version 4 every initializer had to be listed.
    if (edits > 0) model.irVersion = Math.max(model.irVersion, 4);
    return edits;
  },
};
