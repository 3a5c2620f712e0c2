/** What `--metric` names; apart from the loading of modules, because every start of the command asks. */

/** Whether `--metric` names a file and no metric of the table. */
export function isMetricModule(name: string): boolean {
  return /[/\\]|\.(mjs|js|mts|ts)$/.test(name);
}
