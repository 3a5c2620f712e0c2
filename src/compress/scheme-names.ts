/** What ways to make a model smaller are called: what options and schemas need of them before anything else is loaded. */

export const lowRankSchemes = ["spatial-svd", "weight-svd", "output-svd"] as const;
export type LowRankScheme = (typeof lowRankSchemes)[number];

export const compressionSchemes = [...lowRankSchemes, "channel-pruning"] as const;
export type CompressionScheme = (typeof compressionSchemes)[number];
