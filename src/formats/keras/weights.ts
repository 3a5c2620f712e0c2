/** The weights of layers: by name in the older HDF5 layout and in TensorFlow.js, by number in the archives of Keras 3. */
import { AvocetError } from "../../base/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import { nameConstant } from "../channels-last/emitter.ts";
import type { H5Object } from "../hdf5/read.ts";
import { modelClasses } from "./config.ts";

/** What one layer finds its weights in. */
export interface LayerWeights {
  /** A weight by its name, which is the `index`-th of the layer. */
  get(name: string, index: number): Tensor | undefined;
  /** The weights of a part: an attribute of the layer (`cell`), which names of weights call otherwise (`forward_…`). */
  part(attribute: string, named?: (part: string) => boolean): LayerWeights;
  /** The weights of the layers of a model that is a layer, or of the whole model. */
  layers(entries: readonly { readonly name: string; readonly className: string }[]): (name: string) => LayerWeights;
}

interface Named {
  /** conv/kernel:0 as its parts, without the number. */
  readonly parts: readonly string[];
  readonly tensor: Tensor;
}

/** Weights by name. */
export class WeightsByName implements LayerWeights {
  readonly #all: readonly Named[];

  constructor(all: readonly Named[]) {
    this.#all = all;
  }

  static of(tensors: Iterable<readonly [string, Tensor]>): WeightsByName {
    return new WeightsByName(
      Array.from(tensors, ([name, tensor]) => ({
        parts: name.replace(/:\d+$/, "").split("/"),
        tensor: nameConstant(tensor, name),
      })),
    );
  }

  get(name: string): Tensor | undefined {
    return this.#all.find(({ parts }) => parts.at(-1) === name)?.tensor;
  }

  part(_attribute: string, named?: (part: string) => boolean): LayerWeights {
    if (!named) return this;
    return new WeightsByName(this.#all.filter(({ parts }) => parts.some(named)));
  }

  layers(entries: readonly { readonly name: string; readonly className: string }[]): (name: string) => LayerWeights {
    const models = new Set(entries.filter(({ className }) => modelClasses.has(className)).map(({ name }) => name));
    return (name) => {
      const own = this.#all.filter(({ parts }) => parts.includes(name));
      // Weights of a model that is a layer are often called like its own layers alone.
      return own.length === 0 && models.has(name) ? this : new WeightsByName(own);
    };
  }
}

/** The older HDF5 layout: a group for each layer of the model, with a list of the names of its weights. */
export class WeightsInGroups implements LayerWeights {
  readonly #root: H5Object;
  readonly #file: string;

  constructor(root: H5Object, file: string) {
    this.#root = root;
    this.#file = file;
  }

  get(): undefined {
    return undefined;
  }

  part(): LayerWeights {
    return this;
  }

  layers(): (name: string) => LayerWeights {
    return (name) => {
      const group = this.#root.get(name);
      return group ? WeightsByName.of(namedWeights(group, this.#file)) : new WeightsByName([]);
    };
  }
}

/** The weights that a group lists, in that order. */
export function* namedWeights(group: H5Object, file: string): Iterable<readonly [string, Tensor]> {
  const texts = group.texts();
  const lists = [texts.get("weight_names") ?? []];
  // A list that is too long for one attribute is in several.
  for (let i = 0; texts.has(`weight_names${i}`); i++) lists.push(texts.get(`weight_names${i}`)!);
  for (const name of lists.flat()) {
    const tensor = group.get(name)?.tensor();
    if (!tensor)
      throw new AvocetError("import/malformed", `expected the weight ${name}, got none`, {
        at: `${file}: ${group.path}`,
      });
    yield [name, tensor];
  }
}

/** The layout of Keras 3: groups called after attributes and classes, weights by number. */
export class WeightsByNumber implements LayerWeights {
  readonly #group: H5Object | undefined;
  readonly #name: string;

  constructor(group: H5Object | undefined, name = "") {
    this.#group = group;
    this.#name = name;
  }

  get(name: string, index: number): Tensor | undefined {
    const tensor = this.#group?.get(`vars/${index}`)?.tensor();
    return tensor && nameConstant(tensor, this.#name ? `${this.#name}/${name}` : name);
  }

  part(attribute: string): LayerWeights {
    const group = this.#group?.get(attribute);
    return new WeightsByNumber(group, `${this.#name}/${attribute}`);
  }

  layers(entries: readonly { readonly name: string; readonly className: string }[]): (name: string) => LayerWeights {
    const container = this.#group?.get("layers") ?? this.#group?.get("_layer_checkpoint_dependencies");
    const counts = new Map<string, number>();
    const groups = new Map<string, string>();
    for (const { name, className } of entries) {
      const snake = snakeCase(className);
      const count = counts.get(snake) ?? 0;
      counts.set(snake, count + 1);
      groups.set(name, count === 0 ? snake : `${snake}_${count}`);
    }
    return (name) => new WeightsByNumber(container?.get(groups.get(name) ?? name), name);
  }
}

/** Conv2DTranspose → conv2d_transpose, as Keras does it. */
function snakeCase(name: string): string {
  const split = name.replace(/\W+/g, "").replace(/(.)([A-Z][a-z]+)/g, "$1_$2");
  return split.replace(/([a-z])([A-Z])/g, "$1_$2").toLowerCase();
}
