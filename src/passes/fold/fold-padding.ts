/** A Pad with zeros of the positions goes into the convolution behind it, which pads with zeros itself. */
import { refuse } from "../../base/inner.ts";
import { constantNumbers, constantOf, isOp } from "../../facts/inner.ts";
import { attributeOf, type Node } from "../../ir/inner.ts";
import type { Pass } from "../pass.ts";
import { passOf, rule } from "../rule.ts";

interface Found {
  readonly conv: Node;
  readonly pad: Node;
  readonly pads: readonly number[];
}

export const foldPadding = rule<Found>({
  name: "fold-padding",
  match: (conv) => {
    const pad = isOp(conv, "Conv") ? conv.input(0)?.producer : undefined;
    if (!isOp(pad, "Pad") || pad.string("mode", "constant") !== "constant") return undefined;
    const pads = pad.ints("pads") ?? constantNumbers(pad.input(1));
    return pads && { conv, pad, pads };
  },
  check: ({ conv, pad, pads }) => {
    const value = pad.input(2) ? constantOf(pad.input(2))?.numbers()[0] : pad.float("value", 0);
    if (value !== 0) return refuse("it pads with something else than zero");
    if (pad.input(3)) return refuse("it names its axes");
    const rank = pads.length / 2;
    if ([0, 1, rank, rank + 1].some((i) => pads[i] !== 0)) return refuse("it adds samples or channels");
    if (pads.some((p) => p < 0)) return refuse("it cuts something off");
    return ["NOTSET", "VALID"].includes(conv.string("auto_pad", "NOTSET"))
      ? true
      : refuse(`${conv} pads by a rule of its own`);
  },
  rewrite: ({ conv, pad, pads }, graph) => {
    const rank = pads.length / 2;
    const own = conv.string("auto_pad", "NOTSET") === "VALID" ? undefined : conv.ints("pads");
    const added = [...pads.slice(2, rank), ...pads.slice(rank + 2)];
    conv.attributes.set("pads", attributeOf(added.map((p, i) => p + (own?.[i] ?? 0))));
    conv.attributes.delete("auto_pad");
    graph.setInput(conv, 0, pad.input(0));
    if (pad.output.useCount === 0) graph.remove(pad);
  },
});

export const foldPaddings: Pass = passOf("fold-padding", [foldPadding]);
