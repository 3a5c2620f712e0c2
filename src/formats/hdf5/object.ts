/** Objects of an HDF5 file: the messages of their headers, and the members of groups (symbol tables and links). */
import { limits } from "../limits.ts";
import { type Cursor, type Space, textOf } from "./space.ts";

export interface Message {
  readonly type: number;
  /** Its bytes from the start; may be read again and again. */
  readonly body: () => Cursor;
}

const continuation = 0x10;
const symbolTable = 0x11;
const link = 0x06;
const linkInfo = 0x02;

/** The messages of the object header at an address, of version 1 or 2. */
export function messagesAt(space: Space, address: number): Message[] {
  const head = space.at(address);
  const messages: Message[] = [];
  if (head.u8() === 1) {
    head.skip(1);
    const count = head.u16();
    head.skip(4);
    const length = head.u32();
    readBlocks(space, [{ at: address + 16, length }], 1, messages, false, count);
    return messages;
  }
  const start = space.at(address);
  start.signature("OHDR");
  const version = start.u8();
  if (version !== 2) throw space.unsupported(`an object header of version ${version}`);
  const flags = start.u8();
  const skipped = (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0);
  start.skip(skipped);
  const width = 1 << (flags & 3);
  const length = width === 1 ? start.u8() : width === 2 ? start.u16() : width === 4 ? start.u32() : start.u64();
  readBlocks(space, [{ at: address + 6 + skipped + width, length }], 2, messages, (flags & 4) !== 0);
  return messages;
}

interface Block {
  readonly at: number;
  readonly length: number;
}

function readBlocks(
  space: Space,
  blocks: Block[],
  version: 1 | 2,
  messages: Message[],
  isOrdered: boolean,
  count = Number.POSITIVE_INFINITY,
): void {
  const header = version === 1 ? 8 : isOrdered ? 6 : 4;
  for (let block = blocks.shift(); block; block = blocks.shift()) {
    const body = space.at(block.at, block.length);
    let at = block.at;
    while (body.left >= header && messages.length < count) {
      const type = version === 1 ? body.u16() : body.u8();
      const size = body.u16();
      const flags = body.u8();
      body.skip(header - (version === 1 ? 5 : 4));
      at += header;
      body.skip(size);
      const from = at;
      at += size;
      space.count(1);
      if (messages.length > limits.graphParts) throw space.broken("expected an object of an honest number of messages");
      if ((flags & 2) !== 0 && type !== 0) throw space.unsupported("a message that several objects share");
      const read = () => space.at(from, size);
      messages.push({ type, body: read });
      if (type !== continuation) continue;
      const target = read();
      const [next, length] = [target.u64(), target.u64()];
      if (version === 1) blocks.push({ at: next, length });
      else {
        // A block of its own has a signature in front and a checksum behind.
        space.at(next, length).signature("OCHK");
        blocks.push({ at: next + 4, length: length - 8 });
      }
    }
  }
}

/** The members of a group by name; undefined for an object that is no group. */
export function membersOf(space: Space, messages: readonly Message[]): Map<string, number> | undefined {
  const members = new Map<string, number>();
  let isGroup = false;
  for (const { type, body } of messages) {
    if (type === symbolTable) {
      isGroup = true;
      const table = body();
      const [tree, heap] = [table.u64(), table.u64()];
      readTree(space, tree, heapOf(space, heap), members, 0);
    } else if (type === link) {
      isGroup = true;
      addLink(space, body(), members);
    } else if (type === linkInfo) {
      isGroup = true;
      const info = body();
      info.skip(1);
      if (info.u8() & 1) info.skip(8);
      if (info.address() !== undefined) throw space.unsupported("a group with a heap of links");
    }
  }
  return isGroup ? members : undefined;
}

function heapOf(space: Space, address: number): (offset: number) => string {
  const head = space.at(address);
  head.signature("HEAP");
  head.skip(4);
  const size = head.u64();
  head.skip(8);
  const data = head.u64();
  return (offset) => textOf(space.at(data + offset, size - offset).take(Math.min(size - offset, 4096)));
}

/** How deep a tree may be: each level has at least two children, and there are less than 2⁴⁰ of them. */
const deepest = 40;

function readTree(
  space: Space,
  address: number,
  nameAt: (offset: number) => string,
  members: Map<string, number>,
  depth: number,
): void {
  const node = space.at(address);
  node.signature("TREE");
  const type = node.u8();
  const level = node.u8();
  if (type !== 0 || depth > deepest) throw space.broken("expected a tree of names");
  const count = node.u16();
  node.skip(16);
  for (let i = 0; i < count; i++) {
    node.skip(8);
    const child = node.u64();
    if (level > 0) readTree(space, child, nameAt, members, depth + 1);
    else readSymbols(space, child, nameAt, members);
  }
}

function readSymbols(
  space: Space,
  address: number,
  nameAt: (offset: number) => string,
  members: Map<string, number>,
): void {
  const node = space.at(address);
  node.signature("SNOD");
  node.skip(2);
  const count = node.u16();
  for (let i = 0; i < count; i++) {
    space.count(1);
    const name = nameAt(node.u64());
    const header = node.u64();
    const cache = node.u32();
    node.skip(20);
    // A symbolic link names a path, which nothing that Keras writes has.
    if (cache !== 2) members.set(name, header);
  }
}

function addLink(space: Space, body: Cursor, members: Map<string, number>): void {
  body.skip(1);
  const flags = body.u8();
  const kind = flags & 8 ? body.u8() : 0;
  if (flags & 4) body.skip(8);
  if (flags & 16) body.skip(1);
  const width = 1 << (flags & 3);
  const length = width === 1 ? body.u8() : width === 2 ? body.u16() : width === 4 ? body.u32() : body.u64();
  const name = new TextDecoder().decode(body.take(length));
  space.count(1);
  if (kind === 0) members.set(name, body.u64());
}
