/** Reads ONNX text (onnx/docs/Syntax.md) into a syntax tree. Names are not resolved yet: see `resolve.ts`. */
import type { DType, Shape, Tensor } from "../../tensor/inner.ts";
import { type AttributeReader, readAttribute, readTensor, withoutData } from "./read-attribute.ts";
import { readHeader } from "./read-header.ts";
import { atType, depthLimit, readType } from "./read-type.ts";
import { Scanner } from "./scanner.ts";
import { refuseSeeded } from "./seeded.ts";
import type {
  AttributeTree,
  Declaration,
  FunctionTree,
  GraphTree,
  Header,
  Mention,
  ModelTree,
  NodeTree,
} from "./tree.ts";

/** Makes up data for a constant that has none; absent when no seed was given. */
export type Fill = (name: string, dtype: DType, shape: Shape) => Tensor;

export class Reader implements AttributeReader {
  readonly scanner: Scanner;
  readonly #fill: Fill | undefined;
  #depth = 0;

  constructor(text: string, fill: Fill | undefined) {
    this.scanner = new Scanner(text);
    this.#fill = fill;
  }

  model(): ModelTree {
    const { scanner } = this;
    const header = scanner.take("<") ? readHeader(scanner) : {};
    const graph = this.namedGraph();
    const functions: FunctionTree[] = [];
    while (scanner.peek() !== "") functions.push(this.#function());
    return { header, graph, functions };
  }

  /** A graph with its name, which may be left out (then it is "graph"). */
  namedGraph(): GraphTree {
    return this.graph(this.scanner.peek() === "(" ? "graph" : this.scanner.name("the name of a graph"));
  }

  /** Nothing may follow. */
  end(): void {
    if (this.scanner.peek() !== "") throw this.scanner.fail("the end of the text");
  }

  graph(name: string): GraphTree {
    const { scanner } = this;
    if (++this.#depth > depthLimit) {
      throw scanner.error(`expected graphs nested at most ${depthLimit} deep`, scanner.offset);
    }
    const inputs = this.#declarations("(", ")");
    scanner.expect("=>");
    const outputs = this.#declarations("(", ")");
    const declared = scanner.peek() === "<" ? this.#declarations("<", ">") : [];
    const nodes = this.#nodes();
    this.#depth--;
    return { name, inputs, outputs, declared, nodes };
  }

  elided(name: string, dtype: DType, shape: Shape, offset: number): Tensor {
    const refusal = this.#fill && refuseSeeded(dtype, shape);
    if (!this.#fill || refusal) throw withoutData(this.scanner, name, dtype, shape, offset, refusal);
    return this.#fill(name, dtype, shape);
  }

  #declarations(open: string, close: string): Declaration[] {
    const { scanner } = this;
    const found: Declaration[] = [];
    scanner.expect(open);
    if (scanner.take(close)) return found;
    do found.push(this.#declaration());
    while (scanner.take(","));
    scanner.expect(close);
    return found;
  }

  #declaration(): Declaration {
    const { scanner } = this;
    const start = scanner.offset;
    const type = atType(scanner) ? readType(scanner) : undefined;
    const offset = scanner.offset;
    const name = scanner.name("the name of a value");
    if (!scanner.take("=")) return { name, offset, type, data: undefined };
    if (!type) throw scanner.fail("a tensor type before a constant", `write float[2] ${name} = {1, 2}`, start);
    return { name, offset, type, data: readTensor(this, name, type, start) };
  }

  #nodes(): NodeTree[] {
    const { scanner } = this;
    const nodes: NodeTree[] = [];
    scanner.expect("{");
    while (!scanner.take("}")) nodes.push(this.#node());
    return nodes;
  }

  #node(): NodeTree {
    const { scanner } = this;
    let label = "";
    if (scanner.take("[")) {
      if (scanner.peek() !== "]") label = scanner.name("the name of a node");
      scanner.expect("]");
    }
    const outputs = this.#mentions();
    scanner.expect("=");
    const path = [scanner.name("an operator")];
    while (scanner.take(".")) path.push(scanner.name("an operator"));
    const op = path.pop()!;
    const overload = scanner.take(":") ? scanner.name("an overload") : "";
    const before = this.#attributes();
    scanner.expect("(");
    const inputs = this.#mentions();
    scanner.expect(")");
    const attributes = before.size > 0 ? before : this.#attributes();
    return { label, outputs, domain: standard(path.join(".")), op, overload, attributes, inputs };
  }

  /** Names between commas. Nothing before a comma, or "", is a value that is left out; a last comma adds nothing. */
  #mentions(): Mention[] {
    const { scanner } = this;
    const found: Mention[] = [];
    do {
      const offset = scanner.offset;
      const next = scanner.peek();
      if (next === '"' || scanner.peekIdentifier()) found.push({ name: scanner.name("a value"), offset });
      else if (next === ",") found.push({ name: "", offset });
      else break;
    } while (scanner.take(","));
    return found;
  }

  #attributes(): Map<string, AttributeTree> {
    const { scanner } = this;
    const found = new Map<string, AttributeTree>();
    if (!scanner.take("<")) return found;
    do {
      const offset = scanner.offset;
      const name = scanner.name("the name of an attribute");
      if (found.has(name)) throw scanner.error(`the attribute ${name} is given twice`, offset);
      found.set(name, readAttribute(this, name));
    } while (scanner.take(","));
    scanner.expect(">");
    return found;
  }

  #function(): FunctionTree {
    const { scanner } = this;
    const header: Header = scanner.take("<") ? readHeader(scanner) : {};
    const name = scanner.name("the name of a function");
    const attributes: string[] = [];
    const defaults = new Map<string, AttributeTree>();
    if (scanner.take("<")) {
      do {
        const attribute = scanner.name("the name of an attribute");
        if (/^[:=]$/.test(scanner.peek())) defaults.set(attribute, readAttribute(this, attribute));
        else attributes.push(attribute);
      } while (scanner.take(","));
      scanner.expect(">");
    }
    return { header, body: this.graph(name), attributes, defaults };
  }
}

/** "ai.onnx" is the long name of the standard domain. */
export function standard(domain: string): string {
  return domain === "ai.onnx" ? "" : domain;
}
