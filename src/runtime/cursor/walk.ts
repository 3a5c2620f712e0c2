/**
 * A walk through one model, piece by piece: it holds the activations of the cut between what has run and what has not,
 * so that every node runs once per sample, however often one stops. The model ahead of the cut may be edited.
 */

import { AvocetError, debug, invariant, throwIfAborted, type Work } from "../../base/inner.ts";
import { readersOf, readsOf, varyingValues } from "../../facts/inner.ts";
import { extract, type Model, type Node, type Value } from "../../ir/inner.ts";
import type { Feeds, Tensor } from "../../tensor/inner.ts";
import { uncrossable } from "../door-types.ts";
import { pacer } from "../pace.ts";
import type { Runtime, SessionOptions } from "../runtime.ts";
import { type ActivationStore, Slot } from "./activations.ts";

export interface WalkedBatch {
  readonly first: number;
  readonly size: number;
  readonly values: Feeds;
}

/** What the next advance will run: the nodes, the cut values they read, and the values that the new cut holds. */
interface Step {
  readonly nodes: ReadonlySet<Node>;
  readonly reads: readonly Value[];
  readonly makes: readonly Value[];
  readonly releases: readonly Value[];
}

export class Walk {
  /** The model that is walked. Edit it ahead of the cut only; what lies behind has run. */
  readonly model: Model;
  readonly #runtime: Runtime;
  readonly #session: SessionOptions;
  readonly #store: ActivationStore;
  readonly #sizes: readonly number[];
  readonly #cut: Map<Value, Slot>;
  readonly #done = new Set<Node>();
  #failed = false;

  /** Made by `openCursor`: `inputs` are the stored graph inputs, `sizes` the samples of each batch. */
  constructor(
    model: Model,
    runtime: Runtime,
    session: SessionOptions,
    store: ActivationStore,
    inputs: ReadonlyMap<string, Slot>,
    sizes: readonly number[],
  ) {
    this.model = model;
    this.#runtime = runtime;
    this.#session = session;
    this.#store = store;
    this.#sizes = sizes;
    this.#cut = new Map();
    for (const input of model.graph.inputs) {
      const slot = inputs.get(input.name);
      if (slot) this.#cut.set(input, slot);
    }
  }

  /** Names of the values that can be read now: the cut, and what the last advance was asked for. */
  get cut(): string[] {
    return [...this.#cut.keys()].map((value) => value.name);
  }

  /**
   * Runs what is missing for these values, once per sample. They can be read until the next advance, and values that
   * the rest of the model needs stay. Throws `graph/not-found` for values that do not exist, and for such that the cut
   * has passed. After an error or an abort the walk cannot go on.
   */
  async advance(to: readonly string[], work: Work & { readonly step?: string } = {}): Promise<void> {
    invariant(!this.#failed, "a walk went on after it had failed");
    throwIfAborted(work);
    const targets = this.#find(to);
    const step = this.#plan(targets);
    this.#failed = true;
    if (step.makes.length > 0) await this.#run(step, to, work);
    for (const value of step.releases) this.#release(value);
    for (const node of step.nodes) this.#done.add(node);
    this.#failed = false;
  }

  /** The values, batch by batch, in the order of the data; the tensors must not be written to. */
  async *read(names: readonly string[], work: Work = {}): AsyncIterable<WalkedBatch> {
    const slots = this.#slots(names);
    let first = 0;
    for (const [batch, size] of this.#sizes.entries()) {
      throwIfAborted(work);
      yield { first, size, values: await this.#values(names, slots, batch) };
      first += size;
    }
  }

  /** Samples of each batch, in the order of the data. */
  get sizes(): readonly number[] {
    return this.#sizes;
  }

  /** The values of one batch, for those who draw batches at random; the tensors must not be written to. */
  async batch(names: readonly string[], batch: number): Promise<Feeds> {
    return await this.#values(names, this.#slots(names), batch);
  }

  async #values(names: readonly string[], slots: readonly Slot[], batch: number): Promise<Feeds> {
    const values: Record<string, Tensor> = {};
    for (const [i, slot] of slots.entries()) values[names[i]!] = await this.#store.get(slot, batch);
    return values;
  }

  #slots(names: readonly string[]): Slot[] {
    return this.#find(names).map((value) => {
      const slot = this.#cut.get(value);
      if (slot) return slot;
      throw new AvocetError(
        "graph/not-found",
        `expected a value of the cut (${this.cut.join(", ")}), got ${value.name}`,
        {
          at: value.name,
          hint: "advance to it first",
        },
      );
    });
  }

  /** Whether a value has not been computed yet, so that edits of the model can still change it. */
  isAhead(name: string): boolean {
    const [value] = this.#find([name]);
    return value!.producer !== null && !this.#done.has(value!.producer);
  }

  /**
   * A model of what lies between the cut and these values, its inputs typed as the cut's tensors are: what an advance
   * would run. Block-wise methods train on it.
   */
  piece(to: readonly string[]): Model {
    const targets = this.#find(to);
    const { reads } = this.#plan(targets);
    return this.#extract(targets, [...new Set([...reads, ...targets.filter((value) => this.#cut.has(value))])]);
  }

  async #run(step: Step, to: readonly string[], work: Work & { readonly step?: string }): Promise<void> {
    const part = this.#extract(step.makes, step.reads);
    debug(2, () => `advance to ${to.join(", ")}: ${step.nodes.size} nodes, ${step.reads.length} inputs`);
    await using session = await this.#runtime.open(part, this.#session);
    const made = step.makes.map((value) => ({ value, slot: new Slot() }));
    const total = this.#sizes.reduce((sum, size) => sum + size, 0);
    const pause = pacer();
    let done = 0;
    try {
      for (const [batch, size] of this.#sizes.entries()) {
        throwIfAborted(work);
        const feeds: Record<string, Tensor> = {};
        for (const value of step.reads) feeds[value.name] = await this.#store.get(this.#cut.get(value)!, batch);
        const results = await session.run(feeds);
        // What nobody needs any more makes room before the new values come.
        for (const value of step.releases) {
          const slot = this.#cut.get(value)!;
          if (slot.owners === 1) this.#store.drop(slot, batch);
        }
        for (const { value, slot } of made) await this.#store.put(slot, results[value.name]!, size);
        done += size;
        work.onProgress?.({ step: work.step ?? "walk", done, total, detail: to.join(", ") });
        await pause();
      }
    } catch (error) {
      for (const { slot } of made) this.#store.drop(slot);
      throw error;
    }
    for (const { value, slot } of made) this.#cut.set(value, slot);
  }

  /** Forgets a value of the cut; a slot that the other branch still needs stays. */
  #release(value: Value): void {
    const slot = this.#cut.get(value)!;
    this.#cut.delete(value);
    slot.owners--;
    if (slot.owners === 0) this.#store.drop(slot);
  }

  #plan(targets: readonly Value[]): Step {
    const varying = varyingValues(this.model.graph);
    // Constants are computed again where they are needed, and so is what cannot cross the door (a 4-bit activation).
    const shut = uncrossable(this.model);
    const isRepeated = (node: Node) => node.outputs.every((value) => !varying.has(value) || shut.has(value));
    const constant = targets.find((value) => !varying.has(value));
    if (constant) {
      throw new AvocetError("graph/not-found", `expected values that depend on the inputs, ${constant.name} does not`, {
        at: constant.name,
      });
    }
    const { nodes, reads } = this.#needed(targets, isRepeated);
    const ran = new Set([...nodes].filter((node) => !isRepeated(node)));
    const isPending = (value: Value): boolean =>
      readersOf(value).some((node) =>
        isRepeated(node) ? node.outputs.some(isPending) : !this.#done.has(node) && !ran.has(node),
      );
    const isHeld = (value: Value) => targets.includes(value) || isPending(value);
    const makes = [...ran].flatMap((node) => node.outputs.filter((value) => value.name !== "" && isHeld(value)));
    const releases = [...this.#cut.keys()].filter((value) => !isHeld(value));
    return { nodes: ran, reads: [...reads], makes, releases };
  }

  /** Backwards from the targets to the cut. */
  #needed(targets: readonly Value[], isRepeated: (node: Node) => boolean): { nodes: Set<Node>; reads: Set<Value> } {
    const nodes = new Set<Node>();
    const reads = new Set<Value>();
    const open = [...targets];
    for (let value = open.pop(); value; value = open.pop()) {
      if (this.#cut.has(value)) continue;
      const { producer } = value;
      if (!producer) {
        if (value.initializer) continue;
        throw passed(value, targets);
      }
      if (nodes.has(producer)) continue;
      if (this.#done.has(producer) && !isRepeated(producer)) throw passed(value, targets);
      nodes.add(producer);
      open.push(...readsOf(producer));
    }
    for (const node of nodes) for (const read of readsOf(node)) if (this.#cut.has(read)) reads.add(read);
    return { nodes, reads };
  }

  #extract(to: readonly Value[], from: readonly Value[]): Model {
    const names = (values: readonly Value[]) => values.map((value) => value.name);
    const part = extract(this.model, names(to), names(from));
    const types = new Map(from.map((value) => [value.name, this.#cut.get(value)!.type]));
    for (const input of part.graph.inputs) input.type = types.get(input.name) ?? input.type;
    return part;
  }

  #find(names: readonly string[]): Value[] {
    const byName = this.model.graph.valuesByName();
    return names.map((name) => {
      const value = byName.get(name);
      if (value) return value;
      throw new AvocetError("graph/not-found", `expected a value of the graph, got ${name}`, {
        at: this.model.source ?? name,
      });
    });
  }
}

function passed(value: Value, targets: readonly Value[]): AvocetError {
  const wanted = targets.map((target) => target.name).join(", ");
  return new AvocetError(
    "graph/not-found",
    `expected ${wanted} ahead of the cursor, it needs ${value.name} behind it`,
    {
      at: value.name,
      hint: "edit the model ahead of the cursor only, and visit values in the order of the graph",
    },
  );
}
