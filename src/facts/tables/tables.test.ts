import { describe, expect, test } from "vitest";
import { ops } from "../../ops/inner.ts";
import { commuting } from "../commuting.ts";
import { elementRules } from "../lengths/element-rules.ts";
import { lengthRules } from "../lengths/rules.ts";
import { halfRows } from "./half.ts";
import { ranks } from "./ranks.ts";
import { types } from "./types.ts";

describe.each(Object.entries({ commuting, elementRules, halfRows, lengthRules, ranks, types }))("%s", (_, table) => {
  test("has a row for every operator and for nothing else", () => {
    expect(Object.keys(table).sort()).toEqual(Object.keys(ops).sort());
  });

  test("says why where nothing is known", () => {
    for (const row of Object.values(table)) if ("unknown" in row) expect(row.unknown).toMatch(/^[a-z][^.]*$/);
  });
});
