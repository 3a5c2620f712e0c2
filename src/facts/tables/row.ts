/**
 * Tables of facts per operator. They are total: each is a `Readonly<Record<OpType, …>>`, so that an operator that is added to `ops/` does
 * not compile until every table says what it knows of it, or why nothing is known. Operators with the same answer share a row; their names are
 * written out once, here or in the table.
 */
import type { Node } from "../../ir/inner.ts";
import { isOpType, type OpType } from "../../ops/inner.ts";

/** Nothing is known of the operator, for this reason. */
export interface Unknown {
  readonly unknown: string;
}

/** One row per operator. */
export type Table<Row> = Readonly<Record<OpType, Row | Unknown>>;

/** The names in a text, between spaces. */
export type Words<Text extends string> = Text extends `${infer First} ${infer Rest}` ? First | Words<Rest> : Text;

/** The same row for each of these operators, given in lines of names. */
export function each<const Lines extends readonly string[], Row>(
  names: Words<Lines[number]> extends OpType ? Lines : never,
  row: Row,
): Readonly<Record<Words<Lines[number]>, Row>> {
  const all = names.flatMap((line) => line.split(" "));
  return Object.fromEntries(all.map((name) => [name, row])) as Record<Words<Lines[number]>, Row>;
}

/** The row of a node's operator; undefined where nothing is known, and for operators that no table has. */
export function rowIn<Row extends object>(table: Table<Row>, node: Node): Row | undefined {
  const row = isOpType(node.opName) ? table[node.opName] : undefined;
  return row && !("unknown" in row) ? row : undefined;
}
