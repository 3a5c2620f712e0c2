/** What a text says before names are resolved: the syntax tree between `read.ts` and `resolve.ts`. */
import type { Tensor } from "../../tensor/inner.ts";
import type { Attribute } from "../attribute.ts";
import type { ValueType } from "../types.ts";

/** A name and where it stands, for messages. */
export interface Mention {
  readonly name: string;
  readonly offset: number;
}

/** A typed name: a graph input or output, a constant (with data) or the type of a computed value (without). */
export interface Declaration extends Mention {
  readonly type: ValueType | undefined;
  readonly data: Tensor | undefined;
}

export type AttributeTree =
  | Exclude<Attribute, { type: "graph" | "graphs" | "reference" }>
  | { readonly type: "graph"; readonly value: GraphTree }
  | { readonly type: "graphs"; readonly value: readonly GraphTree[] }
  /** `of` is undefined where the text does not annotate the type. */
  | {
      readonly type: "reference";
      readonly value: string;
      readonly of: Exclude<Attribute["type"], "reference"> | undefined;
      readonly offset: number;
    };

export interface NodeTree {
  readonly label: string;
  readonly outputs: readonly Mention[];
  readonly domain: string;
  readonly op: string;
  readonly overload: string;
  readonly attributes: ReadonlyMap<string, AttributeTree>;
  readonly inputs: readonly Mention[];
}

export interface GraphTree {
  readonly name: string;
  readonly inputs: readonly Declaration[];
  readonly outputs: readonly Declaration[];
  /** Constants and the types of computed values. */
  readonly declared: readonly Declaration[];
  readonly nodes: readonly NodeTree[];
}

/** The entries of `<ir_version: 10, …>`. */
export interface Header {
  readonly ir_version?: number;
  readonly opset_import?: ReadonlyMap<string, number>;
  readonly producer_name?: string;
  readonly producer_version?: string;
  readonly domain?: string;
  readonly model_version?: number | bigint;
  readonly doc_string?: string;
  readonly metadata_props?: ReadonlyMap<string, string>;
  readonly overload?: string;
}

export interface FunctionTree {
  readonly header: Header;
  readonly body: GraphTree;
  readonly attributes: readonly string[];
  readonly defaults: ReadonlyMap<string, AttributeTree>;
}

export interface ModelTree {
  readonly header: Header;
  readonly graph: GraphTree;
  readonly functions: readonly FunctionTree[];
}
