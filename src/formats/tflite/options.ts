/** Options of operators: named in the order of the schema, read from the tables of a file. */
import type { FlatTable } from "../flatbuffers/cursor.ts";

interface Kinds {
  readonly bool: boolean;
  readonly i8: number;
  readonly i32: number;
  readonly f32: number;
  readonly i32s: readonly number[];
  readonly f32s: readonly number[];
}

type Layout = Readonly<Record<string, keyof Kinds>>;
export type Options<L extends Layout> = { readonly [K in keyof L]: Kinds[L[K]] };

/** The fields of a layout, whose n-th name is the n-th field of the table; absent ones are zero, false or empty. */
export function optionsOf<const L extends Layout>(table: FlatTable | undefined, layout: L): Options<L> {
  const read = (field: number, kind: keyof Kinds) => {
    switch (kind) {
      case "bool":
        return (table?.u8(field) ?? 0) !== 0;
      case "i8":
        return table?.i8(field) ?? 0;
      case "i32":
        return table?.i32(field) ?? 0;
      case "f32":
        return table?.f32(field) ?? 0;
      case "i32s":
        return table?.i32s(field) ?? [];
      case "f32s":
        return table?.f32s(field) ?? [];
    }
  };
  return Object.fromEntries(Object.entries(layout).map(([name, kind], i) => [name, read(i, kind)])) as Options<L>;
}
