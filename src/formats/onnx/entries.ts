/** StringStringEntryProto lists ↔ maps. */
import type { EntryProto } from "./schema.ts";

/** Copies entries into a map; a key that appears twice keeps its last value. */
export function fillMap(map: Map<string, string>, entries: readonly EntryProto[]): Map<string, string> {
  for (const { key = "", value = "" } of entries) map.set(key, value);
  return map;
}

export function entriesOf(map: ReadonlyMap<string, string>): EntryProto[] {
  return Array.from(map, ([key, value]) => ({ key, value }));
}
