/** `--grid 'SELECTOR=w4a16'` and `--plan plan.json`: a precision for every layer, as text and as a file. */
import { AvocetError } from "../base/inner.ts";
import { targetNames } from "../quant/inner.ts";
import { parsePlan } from "../quant/inner-files.ts";
import type { RecipeInput } from "../recipe/inner.ts";
import { readJson } from "./text-file.ts";

type Rule = NonNullable<RecipeInput["grids"]>[number];

const number =
  "\\d{1,2}|u?int\\d{1,2}|int2half|b?float16|float32|float8e4m3fn|float8e5m2|float4e2m1|float|fp16|fp32|bf16|fp8|fp4|e4m3|e5m2|mxfp4|nvfp4";
const choice = new RegExp(
  `^(?:w(${number}))?(?:a(${number}))?(?:(?:^|,)(tensor|channel|block:\\d+|lpbq:\\d+(?::\\d)?|mx:\\d+|nvfp4:\\d+))?$`,
);

/**
 * "head=w8a16,block:32" → a rule of the recipe: w and a with a width or a grid each, and a granularity, as far as they are given. A width
 * of weights is that of signed integers, one of activations of unsigned ones. The text after the last "=" is the precision. Throws
 * `usage/bad-value`.
 */
export function parseGridRule(text: string): Rule {
  const cut = text.lastIndexOf("=");
  const [, weights, activations, granularity] = choice.exec(text.slice(cut + 1)) ?? [];
  if (cut < 1 || (weights ?? activations ?? granularity) === undefined) {
    throw new AvocetError("usage/bad-value", `expected SELECTOR=PRECISION, got "${text}"`, {
      hint: "for example Conv=w4a16, head=wint4afloat, /attn/=w4,block:32 or first..last=a16",
    });
  }
  for (const [letter, width] of [
    ["w", weights],
    ["a", activations],
  ] as const) {
    if (width === undefined || !/^\d/.test(width) || (Number(width) >= 2 && Number(width) <= 16)) continue;
    throw new AvocetError("usage/bad-value", `expected a width of 2 to 16 bits, got ${letter}${width}`, {
      hint: `${letter}float leaves them in float32, ${letter}fp16 rounds them to float16`,
    });
  }
  return {
    match: text.slice(0, cut),
    ...(weights === undefined ? {} : { weights: gridOf(weights, "int") }),
    ...(activations === undefined ? {} : { activations: gridOf(activations, "uint") }),
    ...(granularity === undefined ? {} : { granularity }),
  };
}

function gridOf(text: string, type: "int" | "uint"): string {
  return /^\d/.test(text) ? `${type}${Number(text)}` : text;
}

/** A plan from its file, and the target that it was placed for where that is a built-in one. Throws `quant/invalid-plan`. */
export function readPlan(path: string): { readonly plan: object; readonly target?: string } {
  const plan = readJson(path);
  const { target } = parsePlan(plan, path);
  return { plan: plan as object, ...(targetNames.includes(target) ? { target } : {}) };
}
