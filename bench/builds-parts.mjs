/** What a build offers of one of its folders, whichever doors that build has. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

const doors = ["index", "index-node", "node/index", "inner", "inner-files", "inner-node"];

export async function partsOf(folder, name) {
  const files = doors.map((door) => join(resolve(folder), "dist", name, `${door}.js`)).filter(existsSync);
  return Object.assign({}, ...(await Promise.all(files.map((file) => import(file)))));
}
