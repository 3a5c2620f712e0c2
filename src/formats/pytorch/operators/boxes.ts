/** Boxes of detectors: operators of torchvision. */
import type { Row } from "../call.ts";

/** Indices of the boxes that stay, best first. The two libraries agree on what overlaps too much: more than the threshold. */
const nms: Row = (c) => {
  const { e } = c;
  const [boxes, scores] = [c.cast(c.t("dets"), "float32"), c.cast(c.t("scores"), "float32")];
  const kept = c.emit("NonMaxSuppression", [
    c.emit("Unsqueeze", [boxes, e.ints([0])]).output,
    c.emit("Unsqueeze", [scores, e.ints([0, 1])]).output,
    c.vector([c.length(boxes, 0)]),
    e.numbers([c.number("iou_threshold")], "float32"),
  ]).output;
  // Batch, class, box.
  return c.give("Gather", [kept, e.numbers(2)], { axis: 1 });
};

const roiAlign: Row = (c) => {
  const { e } = c;
  const [input, rois] = [c.t("input"), c.t("rois")];
  const batch = c.emit("Gather", [rois, e.numbers(0)], { axis: 1 }).output;
  const corners = c.emit("Slice", [rois, e.ints([1]), e.ints([5]), e.ints([1])]).output;
  return c.give("RoiAlign", [input, corners, c.emit("Cast", [batch], { to: 7 }).output], {
    coordinate_transformation_mode: c.bool("aligned", false) ? "half_pixel" : "output_half_pixel",
    output_height: c.number("pooled_height"),
    output_width: c.number("pooled_width"),
    // As many samples as a bin has pixels, when none are named.
    sampling_ratio: Math.max(0, c.number("sampling_ratio", -1)),
    spatial_scale: c.number("spatial_scale"),
  });
};

/** By their names behind "torchvision.". */
export const boxes: Readonly<Record<string, Row>> = { nms, roi_align: roiAlign };
