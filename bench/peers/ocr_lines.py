"""Renders lines of text as the fixture easyocr-english-g2 has them, of other words and another seed: for calibration and training.

    python bench/peers/ocr_lines.py COUNT WIKITEXT/valid.txt FONTS OUT

FONTS is a folder with DejaVu fonts. OUT.u8 holds grey images [COUNT, 64, 800], OUT.json their texts. Lines that need more than 800
columns are left out, so that all have one width. Needs numpy and Pillow.
"""

import glob
import json
import random
import re
import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

CHARACTERS = "0123456789!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ €ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
WIDTH = 800


def words_of(path):
    text = open(path).read().replace("<unk>", "")
    text = re.sub(r" @(.)@ ", r"\1", text)
    text = re.sub(r" ([.,;:!?)\']) ?", r"\1 ", text)
    text = re.sub(r"\( ", "(", text)
    return [w for w in text.split() if all(c in CHARACTERS for c in w) and w not in '="' and len(w) < 14]


def line(words, fonts, rng):
    at = random.randrange(len(words) - 8)
    text = " ".join(words[at : at + random.randint(3, 6)])
    font = ImageFont.truetype(random.choice(fonts), random.randint(26, 40))
    width = int(font.getlength(text)) + 30
    image = Image.new("L", (width, 64), random.randint(190, 255))
    ImageDraw.Draw(image).text((15, random.randint(6, 14)), text, font=font, fill=random.randint(0, 80))
    image = image.rotate(random.uniform(-0.8, 0.8), resample=Image.BICUBIC, fillcolor=220)
    image = image.filter(ImageFilter.GaussianBlur(random.uniform(0, 1.4)))
    noisy = np.clip(np.asarray(image, np.float32) + rng.normal(0, random.uniform(2, 18), (64, width)), 0, 255).astype(np.uint8)
    if width > WIDTH:
        return None
    padded = np.full((64, WIDTH), noisy[:, -1:].mean(), np.uint8)
    padded[:, :width] = noisy
    return padded, text


def main():
    count, source, folder, out = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
    random.seed(11)
    rng = np.random.default_rng(11)
    words = words_of(source)
    fonts = sorted(f for f in glob.glob(f"{folder}/*.ttf") if "Math" not in f)
    found = []
    while len(found) < count:
        made = line(words, fonts, rng)
        if made:
            found.append(made)
    np.stack([image for image, _ in found]).tofile(f"{out}.u8")
    with open(f"{out}.json", "w") as f:
        json.dump([text for _, text in found], f)


main()
