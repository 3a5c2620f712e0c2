"""Makes src/data/images/golden/images.json: small pictures written by Pillow, and hashes of the pixels that Pillow reads.

Run: FIXTURES=<folder of fixtures> python tools/pil_goldens.py
"""

import base64
import hashlib
import io
import json
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, ImageOps, features

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = Path(os.environ.get("FIXTURES", ROOT / ".." / "shared" / "fixtures"))


def sha(image):
    return hashlib.sha256(image.tobytes()).hexdigest()


def drawn(width, height, channels=3):
    """A picture by formula, which the tests make too: smooth parts, edges and a little noise."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    planes = [(x * (3 + c) + y * (5 - c) + ((x // 7 + y // 5) % 2) * 60 + (x * y * (c + 1)) % 11) % 256 for c in range(channels)]
    return np.stack(planes, -1).astype(np.uint8)


def encoded(image, **options):
    out = io.BytesIO()
    image.save(out, **options)
    return out.getvalue()


def entry(name, data, pixels):
    return {"name": name, "data": base64.b64encode(data).decode(), "width": pixels.width, "height": pixels.height, "sha256": sha(pixels)}


def jpegs():
    rgb = Image.fromarray(drawn(43, 29))
    cmyk = Image.fromarray(drawn(43, 29, 4), "CMYK")
    cases = {
        "420": (rgb, dict(quality=80, subsampling=2)),
        "422": (rgb, dict(quality=80, subsampling=1)),
        "444": (rgb, dict(quality=92, subsampling=0)),
        "420-progressive": (rgb, dict(quality=80, progressive=True)),
        "420-restart": (rgb, dict(quality=80, restart_marker_blocks=2)),
        "gray": (rgb.convert("L"), dict(quality=80)),
        "gray-progressive": (rgb.convert("L"), dict(quality=80, progressive=True)),
        "rgb-kept": (rgb, dict(quality=80, keep_rgb=True)),
        "cmyk": (cmyk, dict(quality=70)),
        "cmyk-subsampled": (cmyk, dict(quality=70, subsampling=2)),
        "cmyk-restart": (cmyk, dict(quality=70, restart_marker_blocks=3)),
        "cmyk-progressive": (cmyk, dict(quality=70, progressive=True)),
    }
    made = {name: encoded(image, format="JPEG", **options) for name, (image, options) in cases.items()}
    for name in ("cmyk", "cmyk-subsampled", "cmyk-progressive"):
        # Pillow writes no YCCK; the same bytes under Adobe's transform 2 are one.
        data = bytearray(made[name])
        data[data.index(b"Adobe") + 11] = 2
        made[name.replace("cmyk", "ycck")] = bytes(data)
    return [entry(name, data, Image.open(io.BytesIO(data)).convert("RGB")) for name, data in made.items()]


def oriented():
    image = Image.fromarray(drawn(18, 11))
    found = []
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        for kind in ("JPEG", "PNG"):
            data = encoded(image, format=kind, exif=exif)
            found.append(entry(f"{kind} {orientation}", data, ImageOps.exif_transpose(Image.open(io.BytesIO(data)))))
    return found


def pngs():
    rgb = Image.fromarray(drawn(21, 13))
    rgba = Image.fromarray(drawn(21, 13, 4), "RGBA")
    gray = rgb.convert("L")
    cases = {
        "rgb": (rgb, {}),
        "rgba": (rgba, {}),
        "gray": (gray, {}),
        "gray-alpha": (rgba.convert("LA"), {}),
        "bilevel": (gray.convert("1"), {}),
        "palette": (rgb.quantize(200), {}),
        "palette-4": (rgb.quantize(14), dict(bits=4)),
        "palette-2": (rgb.quantize(4), dict(bits=2)),
        "palette-transparent": (rgb.quantize(30), dict(transparency=3)),
    }
    found = []
    for name, (image, options) in cases.items():
        data = encoded(image, format="PNG", **options)
        found.append(entry(name, data, Image.open(io.BytesIO(data)).convert("RGB")))
    # Pillow writes no 16-bit RGB; it keeps the high bytes when it reads one.
    wide = drawn(21, 13).astype(">u2") * 251 + 7
    rows = b"".join(b"\0" + row.tobytes() for row in wide)
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    header = struct.pack(">IIBBBBB", 21, 13, 16, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    found.append(entry("rgb-16", data, Image.open(io.BytesIO(data)).convert("RGB")))
    mask = Image.fromarray(np.arange(21 * 13, dtype=np.uint8).reshape(13, 21) % 12)
    mask_palette = mask.convert("P")
    masks = [entry(name, encoded(image, format="PNG"), image) for name, image in (("gray", mask), ("palette", mask_palette))]
    return found, masks


def resizes():
    filters = ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
    found = []
    for width, height in ((97, 61), (320, 240)):
        image = Image.fromarray(drawn(width, height))
        for size in ((32, 32), (61, 97), (97, 30), (224, 224), (401, 255), (1, 1)):
            for name in filters:
                out = image.resize(size, getattr(Image.Resampling, name.upper()))
                found.append({"from": [width, height], "to": list(size), "filter": name, "sha256": sha(out)})
    gray = Image.fromarray(drawn(97, 61)).convert("L")
    return {
        "resize": found,
        "gray": {"sha256": sha(gray), "bilinear": sha(gray.resize((40, 50), Image.Resampling.BILINEAR))},
        "letterbox": [
            {"from": [w, h], "to": [128, 96], "sha256": sha(ImageOps.pad(Image.fromarray(drawn(w, h)), (128, 96), Image.Resampling.BILINEAR, color=(114, 114, 114)))}
            for w, h in ((97, 61), (61, 97), (128, 96), (300, 20))
        ],
    }


def prepared(image, short, crop):
    """torchvision's Resize(short) and CenterCrop(crop)."""
    w, h = image.size
    size = (short, int(short * h / w)) if w <= h else (int(short * w / h), short)
    image = image.resize(size, Image.Resampling.BILINEAR)
    left, top = round((size[0] - crop) / 2), round((size[1] - crop) / 2)
    return image.crop((left, top, left + crop, top + crop))


def fixtures():
    packs = {
        "imagenet1k-sample": ("index.json", "images_224_q95.jpgpack"),
        "espnet-camvid": ("test_images.json", "test_images.jpgpack"),
        "coco128-val-train": ("val2017.json", "val2017.jpgpack"),
    }
    found = []
    for folder, (index, pack) in packs.items():
        images = json.loads((FIXTURES / folder / index).read_text())["images"]
        blob = (FIXTURES / folder / pack).read_bytes()
        for i in range(0, len(images), -(-len(images) // 5)):
            part = blob[images[i]["offset"] :][: images[i]["length"]]
            image = Image.open(io.BytesIO(part)).convert("RGB")
            found.append({"pack": f"{folder}/{index}", "index": i, "sha256": sha(image), "prepared": sha(prepared(image, 256, 224))})
    return found


if __name__ == "__main__":
    pictures, masks = pngs()
    golden = {
        "maker": f"Pillow {PIL.__version__}, libjpeg-turbo {features.version('libjpeg_turbo')}",
        "jpeg": jpegs(),
        "oriented": oriented(),
        "png": pictures,
        "masks": masks,
        **resizes(),
        "fixtures": fixtures(),
    }
    (ROOT / "src" / "data" / "images" / "golden" / "images.json").write_text(json.dumps(golden, indent=1) + "\n")
