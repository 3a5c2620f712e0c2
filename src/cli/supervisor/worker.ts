/** The process that does the work, and that native code may take with it: streams, interruption, exit code. */
import { AvocetError } from "../../base/inner.ts";
import { processIo } from "../process-io.ts";
import { main } from "../program.ts";
import { tellDone, watchOver } from "./watch.ts";

const interrupt = new AbortController();
// A terminal sends its Ctrl-C to the supervisor too, which decides.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
watchOver(() => interrupt.abort(new AvocetError("abort/interrupted", "interrupted")));
const code = await main(process.argv.slice(2), processIo(interrupt.signal));
tellDone(code);
process.exitCode = code;
