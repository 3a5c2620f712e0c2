/** Removes nodes and constants whose results nobody reads, in subgraphs too. */
import { graphsOf } from "../../facts/inner.ts";
import { removeDead } from "../../ir/inner.ts";
import type { Pass } from "../pass.ts";

export const removeDeadNodes: Pass = {
  name: "remove-dead",
  run(model) {
    // Inner graphs first: what they no longer read may then go outside.
    return [...graphsOf(model)].reverse().reduce((removed, graph) => removed + removeDead(graph), 0);
  },
};
