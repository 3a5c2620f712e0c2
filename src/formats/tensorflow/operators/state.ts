/** Constants, inputs and variables, and what only hands things on. */
import type { Tensor } from "../../../tensor/inner.ts";
import { gather } from "../../channels-last/axes.ts";
import { elementwise } from "../../channels-last/elementwise.ts";
import { nameConstant } from "../../channels-last/emitter.ts";
import type { Term } from "../../channels-last/term.ts";
import type { Call, Family, OperatorRow } from "../call.ts";
import { nothing, type Slot, type Variable } from "../slots.ts";

const handedOn: OperatorRow = { emit: (call) => call.slots[0] ?? nothing };
const all: OperatorRow = { emit: (call) => [...call.slots] };
const onlyInTime: OperatorRow = { emit: () => nothing, ignoresInputs: true };

function constant(call: Call): Slot {
  const { e, node, world } = call;
  const given = world.constant(node);
  if (given) return given;
  const tensor = call.attributes.tensor("value");
  if (tensor.dtype === "complex64") return complexConstant(call, tensor);
  return e.constant(nameConstant(tensor, node.name));
}

function complexConstant({ e }: Call, tensor: Tensor): Slot {
  // Real and imaginary parts in turn.
  const pairs = Array.from(tensor.data as Float32Array);
  const part = (at: 0 | 1): Term =>
    e.numbers(
      pairs.filter((_, i) => i % 2 === at),
      "float32",
      tensor.shape,
    );
  return { kind: "complex", re: part(0), im: part(1) };
}

/** What is read of a variable now: a weight is a constant, a state what was written last. */
export function readVariable(call: Call, variable: Variable): Term {
  variable.now ??= call.e.constant(nameConstant(variable.initial(), variable.name));
  return variable.now;
}

/** Writing: the variable is a state, which comes in as an input and goes out as an output. */
function write(call: Call, value: Term): Slot {
  if (call.e.isBody) throw call.e.fail("expected variables to be written outside of loops and branches");
  call.variable(0).now = value;
  return nothing;
}

export const stateRows: Family = {
  Const: { emit: constant },
  Placeholder: { emit: (call) => call.world.placeholder(call.node) },
  PlaceholderWithDefault: handedOn,
  VarHandleOp: { emit: (call) => call.world.variable(call.node) },
  VariableV2: { emit: (call) => readVariable(call, call.world.variable(call.node)) },
  Variable: { emit: (call) => readVariable(call, call.world.variable(call.node)) },
  ReadVariableOp: { emit: (call) => readVariable(call, call.variable(0)) },
  AssignVariableOp: { emit: (call) => write(call, call.term(1)) },
  AssignAddVariableOp: {
    emit: (call) => write(call, elementwise(call.e, "Add", [readVariable(call, call.variable(0)), call.term(1)])),
  },
  AssignSubVariableOp: {
    emit: (call) => write(call, elementwise(call.e, "Sub", [readVariable(call, call.variable(0)), call.term(1)])),
  },
  ResourceGather: { emit: (call) => gather(call.e, readVariable(call, call.variable(0)), call.term(1), 0) },
  Identity: handedOn,
  IdentityN: all,
  StopGradient: handedOn,
  PreventGradient: handedOn,
  Snapshot: handedOn,
  CheckNumerics: handedOn,
  EnsureShape: handedOn,
  NoOp: onlyInTime,
  Assert: onlyInTime,
};
