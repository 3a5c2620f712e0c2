/**
 * Python pickles as data: a machine with a stack and some sixty instructions. Nothing is constructed and nothing is called: classes and
 * functions are names, a call is a record of its name and its arguments.
 */
import { AvocetError, ByteReader } from "../../base/inner.ts";
import { limits } from "../limits.ts";

/** A class or a function, by name. */
export class Global {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** A call that Python would make; `items` are what it would then put into the result. */
export class Called {
  readonly of: Pickled;
  readonly args: Pickled;
  readonly items = new Map<Pickled, Pickled>();
  constructor(of: Pickled, args: Pickled) {
    this.of = of;
    this.args = args;
  }
}

/** Something that lies outside the pickle, by whatever names it. */
export class Persistent {
  readonly id: Pickled;
  constructor(id: Pickled) {
    this.id = id;
  }
}

export type Pickled =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Pickled[]
  | ReadonlyMap<Pickled, Pickled>
  | Global
  | Called
  | Persistent;

const mark = Symbol("mark");

/** One pickle, and where it ends. Throws `import/malformed`, `import/truncated`, `import/too-large`. */
export function readPickle(bytes: Uint8Array, file: string): { readonly value: Pickled; readonly end: number } {
  const reader = new ByteReader(bytes, file);
  const broken = (problem: string) => new AvocetError("import/malformed", problem, { at: file });
  const stack: (Pickled | typeof mark)[] = [];
  const memo = new Map<number, Pickled>();
  const text = new TextDecoder();
  let steps = 0;

  const take = (length: number) => reader.take(length);
  const string = (length: number) => text.decode(take(length));
  const wide = (): number => Number(reader.u64());
  const line = (): string => {
    let end = reader.offset;
    while (end < bytes.length && bytes[end] !== 10) end++;
    const found = text.decode(take(end - reader.offset));
    reader.skip(1);
    return found;
  };
  const pop = (): Pickled => {
    const top = stack.pop();
    if (top === undefined || top === mark) throw broken(`expected a value on the stack at offset ${reader.offset}`);
    return top;
  };
  const toMark = (): Pickled[] => {
    const at = stack.lastIndexOf(mark);
    if (at < 0) throw broken(`expected a mark on the stack at offset ${reader.offset}`);
    const found = stack.splice(at + 1) as Pickled[];
    stack.pop();
    return found;
  };
  const top = (): Pickled => {
    const value = pop();
    stack.push(value);
    return value;
  };
  const recall = (at: number) => {
    const value = memo.get(at);
    if (value === undefined) throw broken(`expected a value of number ${at}, got none`);
    stack.push(value);
  };
  const put = (pairs: readonly Pickled[]) => {
    const target = top();
    const items = target instanceof Map ? target : target instanceof Called ? target.items : undefined;
    if (!items || pairs.length % 2 !== 0) throw broken("expected pairs for a dictionary");
    for (let i = 0; i < pairs.length; i += 2) items.set(pairs[i]!, pairs[i + 1]!);
  };
  const append = (values: readonly Pickled[]) => {
    const target = top();
    if (Array.isArray(target)) for (const value of values) target.push(value);
    else if (!(target instanceof Called)) throw broken("expected a list to append to");
  };
  const little = (length: number): number | bigint => {
    const data = take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(data[i]!);
    if (length > 0 && data[length - 1]! & 0x80) value -= 1n << BigInt(8 * length);
    return BigInt.asIntN(53, value) === value ? Number(value) : value;
  };
  const view = () => new DataView(new Uint8Array(take(8)).buffer);

  for (;;) {
    if (++steps > limits.pickleSteps) {
      throw new AvocetError("import/too-large", `expected a pickle of at most ${limits.pickleSteps} steps`, {
        at: file,
      });
    }
    const code = reader.u8();
    switch (code) {
      case 0x2e: // STOP
        return { value: pop(), end: reader.offset };
      case 0x80: // PROTO
        reader.skip(1);
        break;
      case 0x95: // FRAME
        reader.skip(8);
        break;
      case 0x28: // MARK
        stack.push(mark);
        break;
      case 0x30: // POP
        stack.pop();
        break;
      case 0x31: // POP_MARK
        toMark();
        break;
      case 0x32: // DUP
        stack.push(top());
        break;
      case 0x4e: // NONE
        stack.push(null);
        break;
      case 0x88: // NEWTRUE
      case 0x89: // NEWFALSE
        stack.push(code === 0x88);
        break;
      case 0x4b: // BININT1
        stack.push(reader.u8());
        break;
      case 0x4d: // BININT2
        stack.push(reader.u16());
        break;
      case 0x4a: // BININT
        stack.push(reader.u32() | 0);
        break;
      case 0x8a: // LONG1
        stack.push(little(reader.u8()));
        break;
      case 0x49: // INT
      case 0x4c: {
        // LONG
        const digits = line().replace(/L$/, "");
        if (!/^-?\d{1,40}$/.test(digits)) throw broken(`expected a number, got ${JSON.stringify(digits.slice(0, 40))}`);
        stack.push(code === 0x49 && digits === "01" ? true : code === 0x49 && digits === "00" ? false : Number(digits));
        break;
      }
      case 0x47: // BINFLOAT
        stack.push(view().getFloat64(0));
        break;
      case 0x46: // FLOAT
        stack.push(Number(line()));
        break;
      case 0x58: // BINUNICODE
        stack.push(string(reader.u32()));
        break;
      case 0x8c: // SHORT_BINUNICODE
      case 0x55: // SHORT_BINSTRING
        stack.push(string(reader.u8()));
        break;
      case 0x8d: // BINUNICODE8
        stack.push(string(wide()));
        break;
      case 0x54: // BINSTRING
        stack.push(string(reader.u32()));
        break;
      case 0x56: // UNICODE
        stack.push(line());
        break;
      case 0x43: // SHORT_BINBYTES
        stack.push(take(reader.u8()));
        break;
      case 0x42: // BINBYTES
        stack.push(take(reader.u32()));
        break;
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        stack.push(take(wide()));
        break;
      case 0x5d: // EMPTY_LIST
      case 0x29: // EMPTY_TUPLE
        stack.push([]);
        break;
      case 0x8f: // EMPTY_SET
        stack.push([]);
        break;
      case 0x7d: // EMPTY_DICT
        stack.push(new Map());
        break;
      case 0x6c: // LIST
      case 0x74: // TUPLE
      case 0x91: // FROZENSET
        stack.push(toMark());
        break;
      case 0x64: {
        // DICT
        const pairs = toMark();
        stack.push(new Map());
        put(pairs);
        break;
      }
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: {
        // TUPLE3
        const parts: Pickled[] = [];
        for (let i = code - 0x84; i > 0; i--) parts.unshift(pop());
        stack.push(parts);
        break;
      }
      case 0x61: {
        // APPEND
        const value = pop();
        append([value]);
        break;
      }
      case 0x65: // APPENDS
      case 0x90: {
        // ADDITEMS
        const values = toMark();
        append(values);
        break;
      }
      case 0x73: {
        // SETITEM
        const value = pop();
        const key = pop();
        put([key, value]);
        break;
      }
      case 0x75: {
        // SETITEMS
        const pairs = toMark();
        put(pairs);
        break;
      }
      case 0x71: // BINPUT
        memo.set(reader.u8(), top());
        break;
      case 0x72: // LONG_BINPUT
        memo.set(reader.u32(), top());
        break;
      case 0x70: // PUT
        memo.set(Number(line()), top());
        break;
      case 0x94: // MEMOIZE
        memo.set(memo.size, top());
        break;
      case 0x68: // BINGET
        recall(reader.u8());
        break;
      case 0x6a: // LONG_BINGET
        recall(reader.u32());
        break;
      case 0x67: // GET
        recall(Number(line()));
        break;
      case 0x63: {
        // GLOBAL
        const module = line();
        stack.push(new Global(`${module}.${line()}`));
        break;
      }
      case 0x93: {
        // STACK_GLOBAL
        const name = pop();
        stack.push(new Global(`${String(pop())}.${String(name)}`));
        break;
      }
      case 0x52: // REDUCE
      case 0x81: {
        // NEWOBJ
        const args = pop();
        stack.push(new Called(pop(), args));
        break;
      }
      case 0x92: {
        // NEWOBJ_EX
        pop();
        const args = pop();
        stack.push(new Called(pop(), args));
        break;
      }
      case 0x62: // BUILD: the state of an object, which nobody here asks for
        pop();
        top();
        break;
      case 0x51: // BINPERSID
        stack.push(new Persistent(pop()));
        break;
      case 0x50: // PERSID
        stack.push(new Persistent(line()));
        break;
      default:
        throw broken(`expected an instruction of a pickle at offset ${reader.offset - 1}, got 0x${code.toString(16)}`);
    }
  }
}
