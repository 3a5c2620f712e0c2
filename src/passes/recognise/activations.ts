/** Activations that exporters took apart: GELU in both forms, HardSwish, Mish and SiLU. */
import { refuse } from "../../base/inner.ts";
import type { AttributeLike, Node } from "../../ir/inner.ts";
import {
  any,
  type Bindings,
  constant,
  either,
  match,
  op,
  opWhere,
  type Pattern,
  readElsewhere,
  scalar,
} from "../pattern.ts";
import { replaceNode } from "../replace-node.ts";
import { type Rule, rule } from "../rule.ts";

const x = any("x");
const half = scalar(0.5);
const one = scalar(1);

/** half · x · gate, however it is bracketed. */
const halved = (gate: Pattern): Pattern =>
  either(
    op("Mul", half, op("Mul", x, gate)),
    op("Mul", op("Mul", half, x), gate),
    op("Mul", x, op("Mul", half, gate)),
    op("Div", op("Mul", x, gate), scalar(2)),
  );

/** x·½·(1 + erf(x/√2)). */
const gelu = halved(
  op("Add", one, op("Erf", either(op("Div", x, scalar(Math.SQRT2)), op("Mul", x, scalar(Math.SQRT1_2))))),
);

const cube = either(op("Pow", x, scalar(3)), op("Mul", x, op("Mul", x, x)));
const inner = either(
  op("Add", x, op("Mul", scalar(0.044715, 1e-4), cube)),
  op("Mul", x, op("Add", one, op("Mul", scalar(0.044715, 1e-4), either(op("Mul", x, x), op("Pow", x, scalar(2)))))),
);
/** x·½·(1 + tanh(√(2/π)·(x + 0.044715·x³))). */
const geluTanh = halved(op("Add", one, op("Tanh", op("Mul", scalar(Math.sqrt(2 / Math.PI)), inner))));

const near = (value: number | undefined, expected: number) => value !== undefined && Math.abs(value - expected) < 1e-4;
const bounded = op(
  "Clip",
  op("Add", x, scalar(3)),
  constant("low", ([n]) => n === 0),
  constant("high", ([n]) => n === 6),
);
/** x·max(0, min(6, x + 3))/6. */
const hardSwish = either(
  op(
    "Mul",
    x,
    opWhere("HardSigmoid", (n) => near(n.float("alpha", 0.2), 1 / 6) && near(n.float("beta", 0.5), 0.5), x),
  ),
  op("Div", op("Mul", x, bounded), scalar(6)),
  op("Mul", x, op("Div", bounded, scalar(6))),
  op("Mul", op("Mul", x, bounded), scalar(1 / 6, 1e-4)),
  op("Mul", x, op("Mul", bounded, scalar(1 / 6, 1e-4))),
);

const mish = op("Mul", x, op("Tanh", op("Softplus", x)));
const silu = op("Mul", x, op("Sigmoid", x));

function recognise(
  name: string,
  anchors: readonly string[],
  pattern: Pattern,
  made: string,
  attributes: Record<string, AttributeLike> = {},
): Rule {
  return rule<{ node: Node; bound: Bindings }>({
    name,
    match: (node) => {
      const bound = node.domain === "" && anchors.includes(node.op) ? match(pattern, node) : undefined;
      return bound && { node, bound };
    },
    check: ({ bound }) => {
      const outside = readElsewhere(bound);
      return outside ? refuse(`${outside.name}, which is inside, is read elsewhere`) : true;
    },
    rewrite: ({ node, bound }, graph) => {
      replaceNode(node, { op: made, inputs: [bound.value("x")], attributes });
      for (const inside of bound.nodes.slice(1)) {
        if (inside.graph && inside.outputs.every((value) => value.useCount === 0)) graph.remove(inside);
      }
    },
  });
}

export const recogniseGelu = recognise("recognise-gelu", ["Mul", "Div"], gelu, "Gelu");
export const recogniseGeluTanh = recognise("recognise-gelu-tanh", ["Mul", "Div"], geluTanh, "Gelu", {
  approximate: "tanh",
});
export const recogniseHardSwish = recognise("recognise-hard-swish", ["Mul", "Div"], hardSwish, "HardSwish");
export const recogniseMish = recognise("recognise-mish", ["Mul"], mish, "Mish");
export const recogniseSilu = recognise("recognise-silu", ["Mul"], silu, "Swish");
