/** Damage inside archives: files changed by what they hold, renamed, left out, doubled; lies in the directory; bytes of the whole. */
import { strFromU8, unzipSync, type Zippable, zipSync } from "fflate";
import type { Random } from "../../src/base/inner.ts";
import { join, mutateBytes, mutateJson } from "./mutate-bytes.ts";

/** A zip archive with one to three damages. */
export function mutateArchive(bytes: Uint8Array, random: Random): Uint8Array {
  if (random.integer(3) === 0) return mutateBytes(bytes, random);
  const files = new Map(Object.entries(unzipSync(bytes)));
  for (let count = 1 + random.integer(3); count > 0 && files.size > 0; count--) damage(files, random);
  const entries: Zippable = Object.fromEntries(files);
  const made = zipSync(entries, { level: random.integer(2) === 0 ? 0 : 6 });
  return random.integer(5) === 0 ? lying(made, random) : made;
}

function damage(files: Map<string, Uint8Array>, random: Random): void {
  const names = [...files.keys()];
  const name = names[random.integer(names.length)]!;
  const content = files.get(name)!;
  switch (random.integer(8)) {
    case 0: {
      files.delete(name);
      const others = [`../${name}`, `/${name}`, `a/../../${name}`, `c:\\${name}`, `${name}\0`, `x/${name}`];
      files.set(others[random.integer(others.length)]!, content);
      return;
    }
    case 1:
      files.delete(name);
      return;
    case 2:
      files.set(name, files.get(names[random.integer(names.length)]!)!);
      return;
    default:
      files.set(name, mutateContent(name, content, random));
  }
}

/** Of JSON its values, of an archive its files, of the rest its bytes. */
function mutateContent(name: string, content: Uint8Array, random: Random): Uint8Array {
  if (content[0] === 0x50 && content[1] === 0x4b) return mutateArchive(content, random);
  if (!name.endsWith(".json")) return mutateBytes(content, random);
  try {
    return new TextEncoder().encode(mutateJson(JSON.parse(strFromU8(content)), random));
  } catch {
    // Damaged before, or nested deeper than it can be written again.
    return mutateBytes(content, random);
  }
}

/** Lengths, offsets, methods and names of the central directory that are not so. */
function lying(bytes: Uint8Array, random: Random): Uint8Array {
  const made = join(bytes);
  const view = new DataView(made.buffer);
  const places: number[] = [];
  for (let at = 0; at + 46 <= made.length; at++) if (view.getUint32(at, true) === 0x02014b50) places.push(at);
  const at = places[random.integer(Math.max(places.length, 1))];
  if (at === undefined) return made;
  const field = [10, 20, 24, 28, 30, 42][random.integer(6)]!;
  const value = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, random.uint32()][random.integer(6)]!;
  if (field === 10 || field === 28 || field === 30) view.setUint16(at + field, value & 0xffff, true);
  else view.setUint32(at + field, value, true);
  return made;
}
