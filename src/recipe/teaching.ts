/** What training needs of student and teacher: the same questions and answers, samples that stay apart, a form that gradients go through. */
import { AvocetError } from "../base/inner.ts";
import type { Dataset } from "../data/inner.ts";
import { cloneModel, type Model } from "../ir/inner.ts";
import { normalise } from "../passes/inner.ts";
import { firstSample, fixedBatch, type Runtime, traceShapes, withDynamicBatch } from "../runtime/inner.ts";

/** Teacher and student take the same samples and answer the same questions. */
export function expectTeacherOf(student: Model, teacher: Model): void {
  for (const side of ["inputs", "outputs"] as const) {
    const [wanted, found] = [student, teacher].map(({ graph }) => graph[side].map(({ name }) => name));
    if (wanted!.length === found!.length && wanted!.every((name, i) => name === found![i])) continue;
    throw new AvocetError(
      "usage/bad-value",
      `expected a teacher with the ${side} ${wanted!.join(", ")}, got ${found!.join(", ") || "none"}`,
      { at: teacher.source ?? teacher.graph.name, hint: "the float model that this one was made from" },
    );
  }
}

/** In the form that gradients go through. */
export async function normalised(model: Model, runtime: Runtime): Promise<Model> {
  const teacher = cloneModel(model);
  await normalise(teacher, { runtime });
  return teacher;
}

/** Models that were exported for one sample are trained in batches, where samples surely stay apart. */
export async function withFreeBatch(model: Model, data: Dataset, runtime: Runtime): Promise<Model> {
  if (fixedBatch(model, data.axes) !== 1) return model;
  const freed = withDynamicBatch(model, await traceShapes(model, runtime, await firstSample(data)));
  return "model" in freed ? freed.model : model;
}
