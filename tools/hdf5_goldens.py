"""Two HDF5 files of the same tensors, in the oldest and the newest form that h5py writes (tests of src/formats/hdf5).

pip install h5py; python tools/hdf5_goldens.py writes src/formats/hdf5/golden/{earliest,latest}.h5.gz."""
import gzip, io, os
import h5py, numpy as np

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../src/formats/hdf5/golden")


def value(shape, dtype): return (np.arange(int(np.prod(shape))) * 37 % 101 - 50).reshape(shape).astype(dtype)


for libver in ("earliest", "latest"):
    data = io.BytesIO()
    with h5py.File(data, "w", libver=libver) as f:
        f.attrs["text"] = "a text of any length, β"
        f.attrs["fixed"] = np.bytes_(b"fixed")
        f.attrs["list"] = np.array([b"first", b"second one"])
        f.attrs["number"] = 7
        for dtype in ("float32", "float64", "float16", "int8", "uint8", "int16", "int32", "int64"): f[f"types/{dtype}"] = value((3, 5), dtype)
        f["bool"] = np.array([True, False, True])
        f["scalar"] = np.float32(2.5)
        f["empty"] = np.zeros((0, 4), "f")
        # The newest form keeps more than eight members in a heap, and chunks in trees that Keras does not write.
        if libver == "earliest":
            for i in range(300): f[f"many/{i}"] = np.float32(i)
            f.create_dataset("chunks", data=value((37, 11, 3), "f"), chunks=(8, 4, 2), compression="gzip", shuffle=True, fletcher32=True)
            f.create_dataset("plain chunks", data=value((30,), "int32"), chunks=(7,))
    with gzip.GzipFile(os.path.join(here, libver + ".h5.gz"), "wb", 9, mtime=0) as out: out.write(data.getvalue())
    print(libver, len(data.getvalue()), os.path.getsize(os.path.join(here, libver + ".h5.gz")))
