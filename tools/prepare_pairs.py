"""Make a dataset folder of two folders with the same file names: neutral and expressive photos of the same people.

    python tools/prepare_pairs.py london/neutral london/smiling -o faces-london --expression smile \
        --name "Face Research Lab London Set" --licence "CC BY 4.0" --citation "DeBruine & Jones (2017), ..."

Every tenth person (in the order of the names) becomes validation. Photos without a face are left out and listed.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path

from PIL import Image

from twocet import __version__
from twocet.align import TEMPLATE_NAME, align, crop
from twocet.errors import UserError
from twocet.faces import FaceFinder
from twocet.images import read_photo

COLUMNS = ("file", "identity", "expression", "domain", "split")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("neutral", type=Path)
    parser.add_argument("expressive", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--expression", default="expressive")
    parser.add_argument("--size", type=int, default=128)
    for name in ("name", "licence", "citation"):
        parser.add_argument(f"--{name}", default="")
    args = parser.parse_args()
    finder = FaceFinder()
    names = sorted({p.name for p in args.neutral.iterdir()} & {p.name for p in args.expressive.iterdir()})
    rows = []
    for number, name in enumerate(names):
        identity = Path(name).stem
        pair = ((args.neutral, "neutral", "neutral"), (args.expressive, "expressive", args.expression))
        try:
            crops = []
            for folder, _, _ in pair:
                pixels = read_photo(folder / name).pixels
                crops.append(crop(pixels, align(finder.find(pixels)[0].landmarks), args.size))
        except UserError as error:
            print(f"left out {name}: {error}", file=sys.stderr)
            continue
        for pixels, (_, domain, expression) in zip(crops, pair, strict=True):
            file = f"faces/{identity}-{domain}.png"
            (args.output / "faces").mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(args.output / file)
            split = "val" if number % 10 == 9 else "train"
            row = {"file": file, "identity": identity, "expression": expression, "domain": domain, "split": split}
            rows.append(row)
    with (args.output / "faces.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    info = {
        "format": 1, "name": args.name or args.output.name, "licence": args.licence, "citation": args.citation,
        "template": TEMPLATE_NAME, "size": args.size, "made_by": "tools/prepare_pairs.py", "version": __version__,
    }  # fmt: skip
    (args.output / "dataset.json").write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")
    print(f"{len(rows)} photos of {len(rows) // 2} people in {args.output}")


if __name__ == "__main__":
    main()
