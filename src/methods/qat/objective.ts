/**
 * What quantization-aware training minimises: the cross-entropy with labels, the distance from the float model (no labels
 * needed), or both. The float model is a branch of the same graph, so that it sees the very samples that the student sees,
 * augmented alike.
 */

import { nearestFloats, type OutputMeaning, outputMeanings } from "../../analysis/inner.ts";
import { AvocetError } from "../../base/inner.ts";
import { inferTypes } from "../../facts/inner.ts";
import { absorb, cloneModel, type Model, type Node, type Value } from "../../ir/inner.ts";
import { crossEntropy, distillation, type GraphLoss, meanSquaredError, weightedSum } from "../../train/inner.ts";

export interface Objective {
  /** Share of the loss that looks at labels (0 … 1); the rest looks at the float model. */
  readonly labels: number;
  /**
   * How outputs are compared with the float model's: as scores of classes, or as numbers. Default: as scores where a Softmax or the
   * layer of a classifier ends them, over its axis, and where there are labels.
   */
  readonly compare?: "classes" | "numbers" | undefined;
  /** Divides the scores of both before they are compared. */
  readonly temperature: number;
  /** Share of a label that is spread over all classes. */
  readonly smoothing: number;
  /** Elements with this label are not judged. */
  readonly ignore?: number | undefined;
}

export interface StudentAndTeacher {
  readonly model: Model;
  readonly loss: GraphLoss;
}

/** Name of the target that labels are fed under. */
export const labelTarget = "labels";

/** The student's graph with the float model next to it (where it is asked), and the loss over both. */
export function withObjective(student: Model, float: Model, objective: Objective): StudentAndTeacher {
  const model = cloneModel(student);
  const { graph } = model;
  const aims = aimsOf(model, float, objective);
  const inputs = new Map(graph.inputs.map((value) => [value.name, value]));
  const inside = new Map<Value, Value | null>(
    float.graph.inputs.map((value) => [value, inputs.get(value.name) ?? null]),
  );
  const teachers: Value[] = [];
  if (objective.labels < 1) {
    absorb(graph, float.graph, inside);
    for (const { teacher } of aims) teachers.push(inside.get(teacher)!);
  }
  graph.setOutputs([...aims.map((aim) => aim.student), ...teachers]);
  const parts: { loss: GraphLoss; weight: number }[] = [];
  if (objective.labels > 0) {
    const { smoothing, ignore } = objective;
    const loss = crossEntropy({
      output: aims[0]!.student.name,
      target: labelTarget,
      smoothing,
      ...(ignore === undefined ? {} : { ignore }),
    });
    parts.push({ loss, weight: objective.labels });
  }
  teachers.forEach((teacher, i) => {
    parts.push({ loss: toTeacher(aims[i]!, teacher.name, objective), weight: 1 - objective.labels });
  });
  return { model, loss: weightedSum(parts) };
}

/** A float value that is to come near the float model's; `axis` holds scores of classes, null: they are numbers. */
interface Aim {
  readonly student: Value;
  readonly teacher: Value;
  readonly axis: number | null;
}

/**
 * What outputs are taught by: themselves, without a last Softmax where they hold scores (losses take scores and do it themselves,
 * without underflow), and for classes and truths the float values that they are made of.
 */
function aimsOf(student: Model, float: Model, { compare, labels }: Objective): Aim[] {
  const [own, others] = [inferTypes(student), inferTypes(float)];
  const meanings = outputMeanings(float);
  const aims = float.graph.outputs.flatMap((output, i) => {
    const teachers = nearestFloats(output, others);
    const students = nearestFloats(student.graph.outputs[i]!, own);
    const axis =
      compare === "numbers" ? null : axisOf(output, meanings.get(output.name), compare === "classes" || labels > 0);
    const bare = (value: Value) => (axis === null ? value : beforeSoftmax(value));
    return teachers.flatMap((teacher, j) =>
      students[j] ? [{ student: bare(students[j]), teacher: bare(teacher), axis }] : [],
    );
  });
  if (aims.length > 0) return aims;
  throw new AvocetError("pass/unsupported", "expected an output that is made of floats, got none to learn from", {
    at: float.source ?? float.graph.name,
  });
}

/** Where the scores behind an output have their classes. */
function axisOf(output: Value, meaning: OutputMeaning | undefined, asked: boolean): number | null {
  if (meaning?.kind === "scores") return meaning.joint ? 1 : meaning.axis;
  if (meaning?.kind === "choices") {
    const chooser = [...upwards(output)].find((node) => node.op === "ArgMax");
    return chooser?.int("axis", 0) ?? null;
  }
  return asked ? 1 : null;
}

function* upwards(value: Value): Iterable<Node> {
  for (let node = value.producer; node; node = node.input(0)?.producer ?? null) yield node;
}

/** The distance of one output from another output of the same graph. */
function toTeacher({ student, axis }: Aim, teacher: string, { temperature }: Objective): GraphLoss {
  const names = { output: student.name, target: teacher };
  const loss = axis === null ? meanSquaredError(names) : distillation({ ...names, temperature, axis });
  return {
    kind: "graph",
    targets: [],
    model: (outputs) => loss.model(pick(outputs, names.output), pick(outputs, teacher)),
  };
}

function pick<T>(all: Readonly<Record<string, T>>, name: string): Readonly<Record<string, T>> {
  return { [name]: all[name]! };
}

/** What a last Softmax reads, past the quantizer that may stand behind it; else the value itself. */
function beforeSoftmax(value: Value): Value {
  let node: Node | null = value.producer;
  while (node && ["DequantizeLinear", "QuantizeLinear", "Clip"].includes(node.op))
    node = node.input(0)?.producer ?? null;
  return node?.op === "Softmax" || node?.op === "LogSoftmax" ? node.input(0)! : value;
}
