/** @module Plans, encodings and targets that are read from files, checked against their schemas. Loads zod. */
export { parsePlan, planFromJson, planToJson } from "./plan/plan-json.ts";
export { readEncodings } from "./plan/read-encodings.ts";
export { readStatistics } from "./statistics/read-statistics.ts";
export { parseTarget } from "./targets/parse-target.ts";
