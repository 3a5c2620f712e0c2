"""Converts one model by the exporter of its own framework: prints a line of JSON with the processor's seconds and the clock's, imports left out.

python exporter_seconds.py FILE.pt2|SAVED_MODEL OUT.onnx
"""
import json, sys, time, warnings

warnings.filterwarnings("ignore")
source, target = sys.argv[1:3]
if source.endswith(".pt2"):
    import torch, torchvision, transformers, onnxscript  # noqa: F401  (programs name their types)

    def convert():
        torch.onnx.export(torch.export.load(source), dynamo=True, verbose=False).save(target)
else:
    import tensorflow as tf  # noqa: F401
    from tf2onnx import convert as tf2onnx, tf_loader

    def convert():
        graph, inputs, outputs, renamed = tf_loader.from_saved_model(source, None, None, return_tensors_to_rename=True)
        tf2onnx._convert_common(graph, name="model", opset=17, input_names=inputs, output_names=outputs, output_path=target, tensors_to_rename=renamed)

clock, processor = time.perf_counter(), time.process_time()
convert()
print("\n" + json.dumps({"seconds": time.perf_counter() - clock, "processor": time.process_time() - processor}))
