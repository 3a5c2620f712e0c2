/**
 * Which activations are quantized when the aim is a runtime's integer kernels: what a convolution or matrix product reads, what
 * convolutions give, and what lies between them as long as it stays among integers. A quantizer next to a float operator would
 * only add noise and time, so the rest stays float.
 */
import { addsOnlyZero, initializerOf, isNearestResize, keepsGrid, maskOf, weightOperand } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import { readInFloat } from "../plan/layer-reasons.ts";
import type { IntegerKernels } from "../targets/target.ts";
import { chainName, type Decision, maskReason, type Placement } from "./place-by-rule.ts";
import type { Unit } from "./supergroups.ts";

/** A decision for every float value that is no parameter. */
export function decideByKernel(placement: Placement, kernels: IntegerKernels): Map<Value, Decision> {
  return new KernelPlacement(placement, kernels).decide();
}

/**
 * Convolutions at one position whose integers nobody takes: every reader would turn them back into float at once. As for those that give
 * scores, float costs no more there (docs/onnx-runtime.md), and their weights stay integers. None where nothing else would be quantized.
 */
export function turnedBackAtOnce(placement: Placement, kernels: IntegerKernels): Map<Node, string> {
  const found = new Map<Node, string>();
  // What only such a convolution read is turned back at once, too.
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    const scores = new Map([...placement.scores, ...found]);
    for (const [node, reason] of new KernelPlacement({ ...placement, scores }, kernels).turnedBack())
      found.set(node, reason);
  }
  return found;
}

/** Operators that join several data inputs; the others that follow have one. */
const joining = new Set(["Add", "Mul", "Concat"]);

class KernelPlacement {
  readonly #placement: Placement;
  readonly #kernels: IntegerKernels;
  /** Units of following operators that run on integers. It only shrinks until nothing changes any more. */
  readonly #following = new Set<Unit>();
  readonly #demanded: ReadonlySet<Value>;

  constructor(placement: Placement, kernels: IntegerKernels) {
    this.#placement = placement;
    this.#kernels = kernels;
    this.#demanded = this.#findDemanded();
  }

  turnedBack(): Map<Node, string> {
    const { facts, units } = this.#placement;
    this.#settle();
    const found = new Map<Node, string>();
    let others = 0;
    for (const unit of new Set(units.values())) {
      if (!this.#isLinear(unit)) continue;
      const positions = facts.shape(unit.first.output)?.slice(2) ?? [];
      const single = positions.length > 0 && positions.every((length) => length === 1);
      if (single && !this.#kernels.floatOutput.has(unit.first.op) && !this.#wanted(unit.last.output))
        found.set(unit.first, `${readInFloat}, and at one position ${unit.first.op} takes no longer in float`);
      else others++;
    }
    return others > 0 ? found : new Map();
  }

  /** Finds the units that follow, as far as they are among integers and of use to them. */
  #settle(): void {
    for (const unit of new Set(this.#placement.units.values())) if (this.#mayFollow(unit)) this.#following.add(unit);
    for (let before = -1; before !== this.#following.size; ) {
      before = this.#following.size;
      const memo = new Map<Value, boolean>();
      for (const unit of [...this.#following]) {
        if (!this.#inputsAreIntegers(unit, memo) || !this.#wanted(unit.last.output)) this.#following.delete(unit);
      }
    }
  }

  decide(): Map<Value, Decision> {
    const { facts } = this.#placement;
    this.#settle();
    const decided = new Map<Value, Decision>();
    const { graph } = facts.model;
    for (const value of graph.values()) {
      if (!facts.isFloat(value) || facts.parameters(value).length > 0) continue;
      decided.set(value, this.#decide(value, decided));
    }
    for (const [value, decision] of decided) {
      const floatReaders = decision.on ? this.#floatReaders(value, decided) : [];
      if (floatReaders.length > 0) decided.set(value, { ...decision, floatReaders });
    }
    return decided;
  }

  /**
   * Who reads a number in float that is computed in float, or given so: the integers next to it are for others. What an integer
   * kernel returns is there as integers only.
   */
  #floatReaders(value: Value, decided: ReadonlyMap<Value, Decision>): string[] {
    const unit = value.producer ? this.#placement.units.get(value.producer) : undefined;
    if (initializerOf(value) || decided.get(value)!.movedFrom) return [];
    if (unit && (this.#isLinear(unit) || this.#following.has(unit))) return [];
    const names = value.isGraphOutput ? [value.name] : [];
    for (const node of new Set(value.consumers())) {
      const reader = this.#placement.units.get(node);
      // Bodies of If and Loop are not looked into.
      if (!reader) continue;
      const whole = reader.first === node;
      const integer =
        (whole && this.#isLinear(reader) && this.#dataInputs(node).includes(value)) ||
        (whole && this.#following.has(reader) && this.#operands(reader).includes(value)) ||
        (this.#passesOn(node, value) &&
          node.outputs.some((output) => decided.get(output)?.on || decided.get(output)?.movedFrom));
      if (!integer) names.push(node.output.name);
    }
    return names;
  }

  #mayFollow(unit: Unit): boolean {
    return this.#kernels.follow.has(unit.first.op) && unit.first.domain === "" && !this.#placement.kept.has(unit.first);
  }

  #isLinear(unit: Unit): boolean {
    const { first } = unit;
    if (first.domain !== "" || !this.#kernels.linear.has(first.op) || this.#placement.kept.has(first)) return false;
    return !this.#placement.narrow.has(first) && !this.#placement.scores.has(first);
  }

  #moves(node: Node): boolean {
    // What is to stay float takes no integers on: it reads float, and what it makes has a grid of its own where one is wanted.
    if (this.#placement.kept.has(node)) return false;
    return keepsGrid(node) || (isNearestResize(node) && addsOnlyZero(node));
  }

  /** The inputs that carry data into a unit of a following operator. */
  #operands(unit: Unit): Value[] {
    const inputs = joining.has(unit.first.op) ? unit.first.inputs : [unit.first.input(0)];
    return inputs.filter((value) => value !== null);
  }

  #inputsAreIntegers(unit: Unit, memo: Map<Value, boolean>): boolean {
    const computed = this.#operands(unit).filter((value) => !initializerOf(value));
    return computed.every((value) => this.#canBeInteger(value, memo)) && computed.some((value) => !this.#isFree(value));
  }

  /** Whether the value is among integers anyway, or can be at no cost. */
  #canBeInteger(value: Value, memo: Map<Value, boolean>): boolean {
    const moved: Value[] = [];
    let answer: boolean | undefined;
    for (let at: Value | null = value; answer === undefined; ) {
      if (!at) answer = false;
      else {
        const node: Node | null = at.producer;
        const unit = node ? this.#placement.units.get(node) : undefined;
        const isInteger =
          (unit !== undefined && unit.last === node && (this.#isLinear(unit) || this.#following.has(unit))) ||
          this.#demanded.has(at);
        answer = memo.get(at) ?? (isInteger || undefined);
        moved.push(at);
        at = node && this.#moves(node) ? node.input(0) : null;
      }
    }
    for (const one of moved) memo.set(one, answer);
    return answer;
  }

  /** An integer product that returns float as readily: being read by an addition alone does not make it integer. */
  #isFree(value: Value): boolean {
    const unit = value.producer ? this.#placement.units.get(value.producer) : undefined;
    return (
      unit !== undefined &&
      this.#isLinear(unit) &&
      this.#kernels.floatOutput.has(unit.first.op) &&
      !this.#demanded.has(value)
    );
  }

  /**
   * What a convolution or matrix product reads, perhaps after data movement. What is float before a MaxPool is quantized behind it: there
   * are fewer numbers, and MaxPool of uint8 is ten times slower than that of floats (docs/onnx-runtime.md). Found from the end of the graph
   * on, so that all that a value goes into is known.
   */
  #findDemanded(): Set<Value> {
    const demanded = new Set<Value>();
    const reads = (node: Node, value: Value): boolean => {
      const unit = this.#placement.units.get(node);
      if (unit?.first === node && this.#isLinear(unit)) return this.#dataInputs(node).includes(value);
      return (
        node.op !== "MaxPool" && this.#passesOn(node, value) && node.outputs.some((output) => demanded.has(output))
      );
    };
    for (const value of [...this.#placement.facts.model.graph.values()].reverse())
      if (value.consumers().some((node) => reads(node, value))) demanded.add(value);
    return demanded;
  }

  /** The inputs of a linear operator that may be data: the first, and the second of a product of two activations. */
  #dataInputs(node: Node): (Value | null)[] {
    return [node.input(0), weightOperand(node) ?? null];
  }

  #passesOn(node: Node, value: Value): boolean {
    return this.#moves(node) && node.input(0) === value;
  }

  /** Whether integers are of use to a reader. */
  #wanted(value: Value): boolean {
    const moved = [value];
    for (let at = moved.pop(); at; at = moved.pop()) {
      for (const node of at.consumers()) {
        const unit = this.#placement.units.get(node);
        if (!unit) continue;
        if (unit.first === node && this.#isLinear(unit)) {
          if (this.#dataInputs(node).includes(at)) return true;
        } else if (unit.first === node && this.#following.has(unit)) {
          if (this.#operands(unit).includes(at)) return true;
        } else if (this.#passesOn(node, at)) moved.push(...node.outputs);
      }
    }
    return false;
  }

  #decide(value: Value, decided: ReadonlyMap<Value, Decision>): Decision {
    const { units, kept, facts, narrow, scores } = this.#placement;
    if (initializerOf(value)) return this.#decideConstant(value);
    const node = value.producer;
    const demanded = this.#demanded.has(value);
    if (!node) {
      if (demanded) return { on: true, reason: "an integer kernel reads this input of the model" };
      return { on: false, reason: "no integer kernel reads this input of the model" };
    }
    const unit = units.get(node)!;
    if (unit.last !== node) {
      return { on: false, reason: `it is computed inside ${chainName(unit)}, which the runtime runs as one kernel` };
    }
    if (this.#moves(node)) return this.#decideMoved(node, value, decided, demanded);
    if (this.#isLinear(unit)) {
      if (!this.#kernels.floatOutput.has(unit.first.op)) {
        return { on: true, reason: `the integer kernel of ${chainName(unit)} gives integers` };
      }
      if (this.#wanted(value)) return { on: true, reason: `the readers of ${chainName(unit)} take integers` };
      return { on: false, reason: `the integer kernel of ${unit.first.op} gives float, and no reader takes integers` };
    }
    if (this.#following.has(unit))
      return { on: true, reason: `${chainName(unit)} runs on integers between integer kernels` };
    const mask = maskOf(node);
    if (mask !== undefined) return { on: false, reason: maskReason(node, mask) };
    if (demanded) return { on: true, reason: "an integer kernel reads it" };
    const faster = narrow.get(unit.first) ?? scores.get(unit.first);
    if (faster !== undefined) return { on: false, reason: faster };
    const asked = unit.nodes.map((n) => kept.get(n)).find((reason) => reason !== undefined);
    if (asked !== undefined) return { on: false, reason: asked };
    return {
      on: false,
      reason: this.#placement.target.float[node.op] ?? this.#whyFloat(unit, facts.model.graph.outputs.includes(value)),
    };
  }

  #whyFloat(unit: Unit, isOutput: boolean): string {
    if (isOutput) return "it is an output of the model, and no integer kernel follows";
    if (this.#kernels.follow.has(unit.first.op))
      return `${unit.first.op} has float beside it: integers would have to be turned back at once`;
    return `${unit.first.op} runs in float, and no integer kernel reads its output`;
  }

  #decideConstant(value: Value): Decision {
    const reader = value.consumers().find((node) => {
      const unit = this.#placement.units.get(node);
      return unit?.first === node && this.#following.has(unit) && this.#operands(unit).includes(value);
    });
    if (reader) return { on: true, reason: `the integer kernel of ${reader.op} takes its constant as integers` };
    return { on: false, reason: "a constant that no integer kernel reads" };
  }

  #decideMoved(node: Node, value: Value, decided: ReadonlyMap<Value, Decision>, demanded: boolean): Decision {
    const source = node.input(0)!;
    const found = decided.get(source);
    const carried = value === node.output || node.op === "Split";
    if (found?.on && carried) {
      const origin = found.movedFrom ?? source;
      if (this.#mergesPadding(node)) {
        return {
          on: false,
          movedFrom: origin,
          reason: `the runtime merges this padding into ${value.consumers()[0]!.op}`,
        };
      }
      return { on: true, movedFrom: origin, reason: `${node.op} only moves what ${origin.name} holds` };
    }
    if (demanded) return { on: true, reason: "an integer kernel reads it" };
    if (!carried) return { on: false, reason: `the further outputs of ${node.op} are no data` };
    return { on: false, reason: `${node.op} only moves data, and ${source.name} is not quantized` };
  }

  /** A Pad in space, of zeros as all that moves data here, whose only reader is a convolution becomes the padding of that. */
  #mergesPadding(node: Node): boolean {
    if (node.op !== "Pad" || node.string("mode", "constant") !== "constant" || node.input(3)) return false;
    const pads = initializerOf(node.input(1))?.numbers();
    const rank = (pads?.length ?? 0) / 2;
    const spatial = pads?.every((pad, i) => pad >= 0 && (i % rank >= 2 || pad === 0));
    const readers = node.output.consumers();
    return (
      spatial === true &&
      !node.output.isGraphOutput &&
      readers.length === 1 &&
      readers.every(
        (reader) => this.#kernels.mergedPadding.has(reader.op) && reader.string("auto_pad", "NOTSET") === "NOTSET",
      )
    );
  }
}
