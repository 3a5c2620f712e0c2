/** One computation after the other over the steps of a sequence: a Scan, or the steps written out where they are few. */
import { Graph, tensorType, type Value } from "../../../ir/inner.ts";
import { Emitter } from "../../emitter.ts";

export interface Recurrence {
  readonly steps: number;
  /** Whether it starts at the last step. */
  readonly backwards: boolean;
  /** What goes from step to step, as it is before the first one: [B, H]. */
  readonly states: readonly Value[];
  /** What the steps read, stacked: [steps, B, …]. */
  readonly sequences: readonly Value[];
  /** B samples and H states. */
  readonly samples: number;
  readonly hidden: number;
  /** What the steps give out has these lengths: [B, …]. ONNX Runtime wants to know. */
  readonly widths: readonly number[];
}

/** The states after a step, and what it gives out. */
export interface Step {
  readonly states: readonly Value[];
  readonly outputs: readonly Value[];
}

/**
 * Up to here steps are written out. A Scan costs some sixteen microseconds a step next to its nodes (50 steps of 16 × 128: 3.1
 * against 2.3 ms), but one for all steps is quickly loaded.
 */
const fewSteps = 64;

/**
 * Runs `step` over the sequences: the final states, and the outputs stacked in the order of the sequences. The step writes
 * its nodes with the emitter that it gets; values of outside may be read.
 */
export function overTime(
  e: Emitter,
  recurrence: Recurrence,
  step: (e: Emitter, states: readonly Value[], elements: readonly Value[]) => Step,
): Step {
  return recurrence.steps <= fewSteps ? writtenOut(e, recurrence, step) : scanned(e, recurrence, step);
}

type StepRule = Parameters<typeof overTime>[2];

function writtenOut(e: Emitter, recurrence: Recurrence, step: StepRule): Step {
  const { steps, samples, backwards, states, sequences, widths } = recurrence;
  // Rows of all steps one below the other: the part of a step needs no axis taken off.
  const parts = sequences.map((sequence) => {
    const rows = e.reshape(sequence, [steps * samples, -1]);
    return steps === 1 ? [rows] : e.ops("Split", steps, [rows], { axis: 0, num_outputs: steps });
  });
  const order = Array.from({ length: steps }, (_, t) => (backwards ? steps - 1 - t : t));
  const given: (readonly Value[])[] = [];
  let now = states;
  for (const t of order) {
    const done = step(
      e,
      now,
      parts.map((part) => part[t]!),
    );
    now = done.states;
    given[t] = done.outputs;
  }
  const outputs = widths.map((width, i) =>
    e.reshape(
      e.concat(
        given.map((values) => values[i]!),
        0,
      ),
      [steps, samples, width],
    ),
  );
  return { states: now, outputs };
}

function scanned(e: Emitter, recurrence: Recurrence, step: StepRule): Step {
  const { backwards, states, sequences, samples, hidden, widths } = recurrence;
  const body = new Graph(e.graph.names.fresh("d_step"), e.graph.names);
  const input = (hint: string) => body.addInput(e.graph.names.spare(hint), tensorType("float32", null));
  const before = states.map(() => input("d_state"));
  const elements = sequences.map(() => input("d_element"));
  const inside = new Emitter(body, e.types);
  const done = step(inside, before, elements);
  // An output of a body must be made there, and each only once.
  const lengths = [...states.map(() => hidden), ...widths];
  const own = [...done.states, ...done.outputs].map((value, i) => {
    const output = inside.op("Identity", [value]);
    output.type = tensorType("float32", [samples, lengths[i]!]);
    return output;
  });
  body.setOutputs(own);
  const direction = backwards ? 1 : 0;
  const results = e.ops("Scan", done.states.length + done.outputs.length, [...states, ...sequences], {
    body,
    num_scan_inputs: sequences.length,
    scan_input_directions: { type: "ints", value: sequences.map(() => direction) },
    scan_output_directions: { type: "ints", value: done.outputs.map(() => direction) },
  });
  return { states: results.slice(0, states.length), outputs: results.slice(states.length) };
}
