"""Asks the onnx package whether every file below a folder is a whole model: the checker with full type inference, and strict
shape inference with data propagation. See test/written-files.test.ts for how the files are made.

    python tools/check_written.py FOLDER > bench/results/written-files.md
"""
import collections
import pathlib
import sys

import onnx


def fault(path):
    try:
        onnx.checker.check_model(str(path), full_check=True)
        model = onnx.load(path)
        inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
        onnx.checker.check_model(inferred, full_check=True)
    except Exception as error:  # every way in which it says no is one
        return " ".join(str(error).split())[:300]
    return None


def main(folder):
    files = sorted(pathlib.Path(folder).rglob("*.onnx"))
    by_command = collections.Counter()
    faults = []
    for path in files:
        found = fault(path)
        command = path.stem.rsplit(".", 1)[-1]
        by_command[command, found is None] += 1
        if found:
            faults.append((path.name, found))
    print(f"# Files that Avocet wrote, in the eyes of onnx {onnx.__version__}\n")
    print("`onnx.checker` with `full_check`, `infer_shapes` with `check_type`, `strict_mode` and `data_prop`; tools/check_written.py.\n")
    print("| command | files | refused |\n| --- | ---: | ---: |")
    for command in sorted({c for c, _ in by_command}):
        good, bad = by_command[command, True], by_command[command, False]
        print(f"| {command} | {good + bad} | {bad} |")
    print(f"| all | {len(files)} | {len(faults)} |")
    for name, found in faults:
        print(f"\n- `{name}`: {found}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
