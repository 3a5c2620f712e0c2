/** Agreement in the documents of commands: the two shares as they are fixed, and next to them what they are of. */
import type { AgreementShares } from "../analysis/inner.ts";

export function agreementDocument({ simulation, float, ...decisions }: AgreementShares) {
  return { agreement: { simulation, float }, decisions };
}
