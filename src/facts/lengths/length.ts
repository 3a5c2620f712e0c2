/** What is known of one length. */

/** A number, or a key that is the same for lengths that are surely equal. */
export type Length = number | string;
export type Lengths = readonly Length[];
