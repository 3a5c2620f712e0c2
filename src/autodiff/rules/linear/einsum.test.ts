/** Einsum against central differences. */
import { type GradientCase, gradientSuite } from "../../gradient-suite.ts";

const sum = (equation: string, ...shapes: readonly string[]): GradientCase => {
  const names = shapes.map((_, i) => `x${i}`);
  return {
    text: `f (${shapes.map((shape, i) => `float${shape} x${i}`).join(", ")}) => (float y) {
       y = Einsum <equation = "${equation}"> (${names.join(", ")}) }`,
  };
};

gradientSuite({
  "a product": sum("ij,jk->ik", "[2,3]", "[3,4]"),
  "attention scores": sum("bqhd,bkhd->bhqk", "[2,3,2,4]", "[2,2,2,4]"),
  "without an arrow": sum("bi, ja", "[2,3]", "[2,3]"),
  "without an arrow, summed": sum("ij,jk", "[2,3]", "[3,2]"),
  "an ellipsis": sum("...ij,...jk->...ik", "[2,3,4]", "[2,4,2]"),
  "an ellipsis beside letters that come first in the alphabet": sum("...AB,BC->...AC", "[2,3,4]", "[4,2]"),
  "an ellipsis of one operand alone": sum("...ij,jk->...ik", "[2,3,4]", "[4,2]"),
  "ellipses at both ends": sum("...ij,jk...->...ik", "[2,3,4]", "[4,2,2]"),
  "an ellipsis that broadcasts": sum("...i,...i->...i", "[2,3]", "[1,3]"),
  "an ellipsis without an arrow": sum("...ij,...jk", "[2,3,4]", "[2,4,2]"),
  transpose: sum("ijk->kij", "[2,3,4]"),
  "the sum of all": sum("ij->", "[2,3]"),
  "a letter of one operand alone": sum("ij,k->i", "[2,3]", "[4]"),
  trace: sum("ii->", "[3,3]"),
  diagonal: sum("ii->i", "[3,3]"),
  "a diagonal times a vector": sum("bii,bi->b", "[2,3,3]", "[2,3]"),
  "the same diagonal twice": sum("iij,ij->j", "[3,3,2]", "[3,2]"),
  "three times": sum("iii->i", "[2,2,2]"),
  "three operands": sum("ij,jk,kl->il", "[2,3]", "[3,2]", "[2,2]"),
  "a dot product": sum("i,i->", "[4]", "[4]"),
  "a scalar": sum(",ij->ij", "", "[2,3]"),
  "an axis of length one": sum("ij,ij->ij", "[2,1]", "[2,3]"),
});
