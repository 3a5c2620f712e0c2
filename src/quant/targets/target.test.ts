/** Targets: AIMET's files parse, mistakes are named, the built-in ones are what they say. */

import { describe, expect, test } from "vitest";
import { AvocetError } from "../../base/inner.ts";
import { inferTypes } from "../../facts/inner.ts";
import { parseModel } from "../../ir/inner.ts";
import { builtinTarget, gridName, parseGrid, place, targetFile, targetNames } from "../inner.ts";
import { parseTarget } from "../inner-files.ts";

/** The minimal example of AIMET's documentation. */
const minimal = {
  defaults: {
    ops: { is_output_quantized: "True" },
    params: { is_quantized: "True", is_symmetric: "True" },
    strict_symmetric: "False",
    per_channel_quantization: "True",
  },
  params: { bias: { is_quantized: "False" } },
  op_type: {
    Softmax: { encoding_constraints: { min: 0.0, max: 1.0 } },
    Shape: { is_output_quantized: "False" },
  },
  supergroups: [{ op_list: ["Conv", "Relu"] }, { op_list: ["Conv", "BatchNormalization", "Relu"] }],
  model_input: { is_input_quantized: "True" },
  model_output: {},
};

describe("AIMET's configuration format", () => {
  test("the minimal example", () => {
    const target = parseTarget(minimal, "mine");
    expect(target).toMatchObject({
      name: "mine",
      outputQuantized: true,
      symmetric: false,
      param: { quantized: true, symmetric: true },
      perChannel: true,
      params: { bias: { quantized: false } },
      modelInput: true,
      modelOutput: false,
      bias: "float",
      kernels: null,
    });
    expect(target.operators.get("Softmax")!.range).toEqual({ min: 0, max: 1 });
    expect(target.operators.get("Shape")!.outputQuantized).toBe(false);
    expect(target.supergroups[0], "the longest chain is tried first").toEqual(["Conv", "BatchNormalization", "Relu"]);
  });

  const faults: Record<string, [json: unknown, message: RegExp]> = {
    "a misspelt key": [{ ...minimal, op_types: {} }, /op_types/],
    "a missing section": [{ ...minimal, supergroups: undefined }, /supergroups/],
    "a chain of one": [{ ...minimal, supergroups: [{ op_list: ["Conv"] }] }, /op_list/],
    "a flag that is none": [{ ...minimal, model_input: { is_input_quantized: "yes" } }, /is_input_quantized/],
    "a range upside down": [
      { ...minimal, op_type: { Tanh: { encoding_constraints: { min: 1, max: -1 } } } },
      /min not above max/,
    ],
    "a pattern that nobody knows": [{ ...minimal, supergroup_pass_list: ["MaskedSoftmax"] }, /MaskedSoftmax/],
    "a grid that is none": [{ ...minimal, avocet: { weights: "int17" } }, /grid/],
    "no object": [[], /expected object/],
  };
  test.each(Object.entries(faults))("%s is named", (_, [json, message]) => {
    expect(() => parseTarget(json, "mine.json")).toThrowError(message);
    try {
      parseTarget(json, "mine.json");
    } catch (error) {
      expect(AvocetError.is(error) && error.code).toBe("target/invalid");
      expect(AvocetError.is(error) && error.detail.at).toBe("mine.json");
    }
  });
});

describe("built-in targets", () => {
  test.each(targetNames)("%s is a valid file", (name) => {
    const target = parseTarget(JSON.parse(JSON.stringify(targetFile(name))), name);
    expect(target).toEqual(builtinTarget(name));
    expect(target.description).not.toBe("");
  });

  test("ort-cpu comes first: it is the default", () => {
    expect(targetNames[0]).toBe("ort-cpu");
  });

  test("an unknown name lists the known ones", () => {
    expect(() => builtinTarget("htp_v99")).toThrowError(
      expect.objectContaining({
        code: "target/unknown",
        detail: expect.objectContaining({ hint: expect.stringContaining("aimet-default") }),
      }),
    );
  });
});

describe("supported_kernels", () => {
  const side = (bitwidth: number, dtype = "int") => ({ bitwidth, dtype });
  const pair = (activation: object, param: object) => ({ activation, param });
  const w8a8 = pair(side(8), side(8));
  const w4a16 = pair(side(16), side(4));
  const half = pair(side(16, "float"), side(16, "float"));
  const text = `f (float[1,4,6,6] x) => (float[1,4,6,6] y) <float[4,4,1,1] w> {
    [first] c = Conv(x, w)
    [second] y = Sigmoid(c) }`;
  const placed = (
    defaults: object[],
    conv: object[] | undefined,
    weights: string,
    activations: string,
    keepFloat: string[] = [],
  ) => {
    const target = parseTarget(
      {
        ...minimal,
        defaults: { ...minimal.defaults, supported_kernels: defaults },
        op_type: conv ? { Conv: { supported_kernels: conv } } : {},
      },
      "mine",
    );
    const model = parseModel(text, { seed: 1 });
    const options = {
      shapes: inferTypes(model),
      weights: parseGrid(weights),
      activations: parseGrid(activations),
      keepFloat,
    };
    const plan = place(model, target, options);
    return plan.entries.map((entry) => `${entry.value} ${gridName(entry.grid)}`).sort();
  };

  test("a choice that there is a kernel for is placed as ever", () => {
    expect(placed([w8a8, w4a16], undefined, "int8", "uint8")).toEqual(["c uint8", "w int8", "x uint8", "y uint8"]);
    expect(placed([w8a8, w4a16], undefined, "int4", "uint16")).toEqual(["c uint16", "w int4", "x uint16", "y uint16"]);
    // Sigmoid has no weight: what its kernels say of weights does not count.
    expect(placed([w8a8], [w4a16, pair(side(8), side(4))], "int4", "uint8")).toHaveLength(4);
  });

  test.each([
    [
      [w8a8],
      undefined,
      "int4",
      "uint8",
      /kernels of Conv \(int8 with weights int8\), got uint8 with weights int4/,
      "first",
    ],
    [[w8a8, w4a16], [w8a8], "int4", "uint16", /kernels of Conv/, "first"],
    [[w8a8], [w4a16], "int4", "uint16", /kernels of Sigmoid .* got uint16$/, "second"],
  ] as const)("a choice without a kernel is refused (%#)", (defaults, conv, weights, activations, message, at) => {
    expect(() => placed([...defaults], conv && [...conv], weights, activations)).toThrowError(
      expect.objectContaining({
        code: "quant/unsupported-grid",
        message: expect.stringMatching(message),
        detail: expect.objectContaining({ at }),
      }),
    );
  });

  test("one that is kept in float needs no kernel", () => {
    expect(placed([w8a8], [w4a16], "int8", "uint8", ["first"])).toEqual(["y uint8"]);
  });

  test("an operator with kernels of float only stays float, with the reason", () => {
    expect(placed([w8a8], [half], "int8", "uint8")).toEqual(["y uint8"]);
  });
});
