/** A model as plain data, for tests that compare everything a file says. */
import type { Attribute, Graph, Model, Value } from "../src/ir/inner.ts";
import type { Tensor } from "../src/tensor/inner.ts";

export function modelSummary(model: Model): unknown {
  const { graph, functions, ...rest } = model;
  return {
    ...rest,
    source: undefined,
    graph: graphSummary(graph),
    functions: functions.map(({ body, defaults, ...f }) => ({
      ...f,
      body: graphSummary(body),
      defaults: Array.from(defaults, ([name, value]) => [name, attributeSummary(value)]),
    })),
  };
}

function graphSummary(graph: Graph): unknown {
  return {
    name: graph.name,
    docString: graph.docString,
    metadata: [...graph.metadata],
    unknown: graph.unknownFields,
    inputs: graph.inputs.map(valueSummary),
    // Their order means nothing.
    initializers: [...graph.initializers]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((value) => [valueSummary(value), tensorSummary(value.initializer!)]),
    nodes: Array.from(graph.nodes, (node) => ({
      op: node.opName,
      overload: node.overload,
      name: node.name,
      docString: node.docString,
      metadata: [...node.metadata],
      unknown: node.unknownFields,
      inputs: node.inputs.map((value) => value?.name ?? null),
      outputs: node.outputs.map(valueSummary),
      attributes: Array.from(node.attributes, ([name, value]) => [name, attributeSummary(value)]),
    })),
    outputs: graph.outputs.map(valueSummary),
  };
}

function valueSummary({ name, type, docString, metadata }: Value): unknown {
  return { name, type, docString, metadata: [...metadata] };
}

function attributeSummary(attribute: Attribute): unknown {
  switch (attribute.type) {
    case "tensor":
      return tensorSummary(attribute.value);
    case "tensors":
      return attribute.value.map(tensorSummary);
    case "graph":
      return graphSummary(attribute.value);
    case "graphs":
      return attribute.value.map(graphSummary);
    default:
      return attribute;
  }
}

/** The data in a form that compares quickly. */
function tensorSummary(tensor: Tensor): unknown {
  const data = tensor.dtype === "string" ? tensor.data : Buffer.from(tensor.bytes).toString("base64");
  return { dtype: tensor.dtype, shape: tensor.shape, data };
}
