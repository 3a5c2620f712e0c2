/** Lists of tensors, as loops read and write them: stacked along a first axis. */
import { gather, stack } from "../../channels-last/axes.ts";
import { known } from "../../channels-last/content.ts";
import { shapeOf } from "../../channels-last/reshape.ts";
import type { Term } from "../../channels-last/term.ts";
import { limits } from "../../limits.ts";
import type { Call, Family } from "../call.ts";
import type { List, Slot } from "../slots.ts";
import { unstack } from "./shapes.ts";

/** All elements along the first axis. */
export function stackedOf(call: Call, list: List): Term {
  if (list.stacked) return list.stacked;
  const { e } = call;
  if (list.items && list.items.length > 0 && list.items.every((item) => item !== undefined))
    return stack(e, list.items, 0);
  throw e.fail("expected a list all of whose elements were written");
}

function written(call: Call): List {
  const { e } = call;
  const list = call.list(0);
  const item = call.term(2);
  const index = known(call.term(1).content)?.[0];
  const length = list.length && known(list.length.content)?.[0];
  if (list.loop) return { ...list, pending: { index: call.term(1), item } };
  if (index === undefined || (length === undefined && !list.items && !list.stacked)) {
    throw e.fail("expected a place in a list that does not depend on the model's inputs");
  }
  const items = [
    ...(list.items ??
      (list.stacked ? unstack(call, list.stacked, 0) : new Array<Term>(Math.min(length!, limits.knownElements)))),
  ];
  if (!(index >= 0 && index < items.length)) throw e.broken(`expected a place of ${items.length}, got ${index}`);
  items[index] = item;
  return { kind: "list", dtype: item.dtype, items };
}

function element(call: Call): Term {
  const { e } = call;
  const list = call.list(0);
  const index = known(call.term(1).content)?.[0];
  const item = index === undefined ? undefined : list.items?.[index];
  return item ?? gather(e, stackedOf(call, list), call.term(1), 0);
}

export const listRows: Family = {
  TensorListFromTensor: { emit: (call): Slot => ({ kind: "list", dtype: call.term(0).dtype, stacked: call.term(0) }) },
  TensorListReserve: {
    emit: (call): Slot => ({ kind: "list", dtype: call.attributes.type("element_dtype"), length: call.term(1) }),
  },
  TensorListSetItem: { emit: written },
  TensorListGetItem: { emit: element },
  TensorListStack: { emit: (call) => stackedOf(call, call.list(0)) },
  TensorListLength: {
    emit: (call) => {
      const { e } = call;
      const list = call.list(0);
      if (list.length) return list.length;
      if (list.items) return e.numbers(list.items.length, "int32");
      return gather(e, shapeOf(e, stackedOf(call, list), "int32"), e.numbers(0), 0);
    },
  },
  EmptyTensorList: {
    emit: (call): Slot => ({ kind: "list", dtype: call.attributes.type("element_dtype"), items: [] }),
  },
  TensorListPushBack: {
    emit: (call): Slot => {
      const list = call.list(0);
      const item = call.term(1);
      if (list.loop) throw call.e.fail("expected a list of known length in a loop");
      if (list.stacked) {
        throw call.e.fail("expected a list that was written one by one");
      }
      return { kind: "list", dtype: item.dtype, items: [...(list.items ?? []), item] };
    },
  },
};
