/** A worker that scores candidates: the bundled example's test pictures, top-1, in a session of its own. */
import { workerData } from "node:worker_threads";
import { localScorer, openRuntime, serveScorer } from "avocet";
import { judging } from "./scored-pictures.ts";

const { port, count } = workerData as { readonly port: MessagePort; readonly count: number };
serveScorer(port, localScorer({ runtime: await openRuntime(), threads: 1, ...judging(count) }));
