/** Limits of packed bytes, for every reader of archives. docs/data.md and docs/debugging.md list them. */
export const archiveLimits = {
  /** What one byte can inflate to: deflate's longest match, 258 bytes, in two bits. A larger claim is a lie. */
  inflateRatio: 1032,
  /** Members of a gzip file. Those that can be read from the middle have one for every 64 kB: 8,192 in the largest. Each takes time. */
  gzipMembers: 2 ** 14,
  /** Bytes of a zip directory: a thousand entries with the longest names, or a million with usual ones. */
  zipDirectoryBytes: 2 ** 27,
} as const;
