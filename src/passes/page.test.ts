/** docs/passes.md lists the passes that run, each where it says. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseModel } from "../ir/inner.ts";
import { openRuntime } from "../runtime/inner.ts";
import { normalise, optimise, rewriteBatchNorms, unrollRecurrent } from "./inner.ts";

test("docs/passes.md lists every pass", async () => {
  const page = readFileSync(new URL("../../docs/passes.md", import.meta.url), "utf8");
  const listed = [...page.matchAll(/^\| `([a-z-]+)` \|.*\| (\w+[\w ]*) \|$/gm)].map(([, name, where]) => [
    name!,
    where!,
  ]);
  const model = () => parseModel("f (float[2] x) => (float[2] y) { y = Relu(x) }");
  const runtime = await openRuntime();
  const usual = (await normalise(model(), { runtime })).map((report) => report.pass);
  const more = (await optimise(model(), { runtime }))
    .map((report) => report.pass)
    .filter((name) => !usual.includes(name));
  const expected = [
    ...usual.map((name) => [name, "normalise"]),
    ...more.map((name) => [name, "optimise"]),
    ...[unrollRecurrent(), rewriteBatchNorms()].map((pass) => [pass.name, "by hand"]),
  ];
  expect(listed).toEqual(expected);
});
