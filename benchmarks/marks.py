"""Measures the watermark: what it outlives, how often it is seen where there is none, what it costs the picture.

FOLDERS hold photos of faces; rendered people are added. Each photo is scaled to one of several sizes, every third one
lies off centre in a wider scene, and its face is given an expression. The result is marked, attacked, and the mark
is looked for as ``twocet verify`` does, by the faces that are found. What is done is kept in a file, line by line, so
that the same command goes on where it was stopped.

    python benchmarks/marks.py FOLDER... -o marks.json --results 200 --crops 10000
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro
from PIL import Image, ImageFilter
from tqdm import tqdm

import twocet
from twocet.photo import align, resample
from twocet.photo.faces import FaceFinder
from twocet.photo.images import Pixels, read_photo
from twocet.photo.watermark import embed
from twocet.photo.watermark.code import amplitudes_of, message_of
from twocet.photo.watermark.find import find_watermark
from twocet.runtime.arrays import Floats
from twocet.synth import Head, Identity, render

SIDES = (256, 384, 512, 640, 768, 1024, 1024, 1500)
"""Of the photos, longer side in pixels."""
STRENGTHS = (1.0, 0.6, 1.3)
FIRST_RENDERED = 1_000_100
SHA256 = "ab12cd" + "0" * 58
MOST_FACES = 3
Route = Literal["twocet", "additive", "dwtdct"]
"""The product's; the same patterns merely added, at equal strength; the library invisible-watermark (no weights)."""


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.array(Image.open(buffer))


def scaled(pixels: Pixels, factor: float, method: Image.Resampling = Image.Resampling.BICUBIC) -> Pixels:
    size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    return np.array(Image.fromarray(pixels).resize(size, method))


def cropped(pixels: Pixels, share: float) -> Pixels:
    """``share`` of the width and of the height is cut off, a third of it left and two thirds of it above."""
    height, width = pixels.shape[:2]
    left, top = int(width * share / 3), int(height * share * 2 / 3)
    return np.ascontiguousarray(pixels[top : top + int(height * (1 - share)), left : left + int(width * (1 - share))])


def screenshot(pixels: Pixels) -> Pixels:
    """Shown at 125 %, taken, and scaled to two thirds: a PNG."""
    shown = scaled(pixels, 1.25, Image.Resampling.BILINEAR)
    return scaled(shown, 2 / 3, Image.Resampling.BILINEAR)


def messenger(pixels: Pixels) -> Pixels:
    """At most 1,600 pixels, JPEG 70."""
    return jpeg(scaled(pixels, min(1.0, 1600 / max(pixels.shape))), 70)


ATTACKS: dict[str, Callable[[Pixels], Pixels]] = {
    "nothing": lambda p: p,
    "JPEG 90": lambda p: jpeg(p, 90),
    "JPEG 75": lambda p: jpeg(p, 75),
    "JPEG 50": lambda p: jpeg(p, 50),
    "half size": lambda p: scaled(p, 0.5),
    "quarter size": lambda p: scaled(p, 0.25),
    "10 % crop": lambda p: cropped(p, 0.10),
    "25 % crop": lambda p: cropped(p, 0.25),
    "turned by 2 degrees": lambda p: np.array(Image.fromarray(p).rotate(2, Image.Resampling.BICUBIC)),
    "20 % brighter": lambda p: np.clip(p * 1.2, 0, 255).astype(np.uint8),
    "20 % darker": lambda p: (p * 0.8).astype(np.uint8),
    "screenshot": screenshot,
    "messenger": messenger,
    "half size, JPEG 75": lambda p: jpeg(scaled(p, 0.5), 75),
    "10 % crop, half size, JPEG 75": lambda p: jpeg(scaled(cropped(p, 0.10), 0.5), 75),
}
FEW = ("nothing", "JPEG 75", "half size", "10 % crop", "turned by 2 degrees", "10 % crop, half size, JPEG 75")
"""For the other routes."""


def sources(folders: tuple[Path, ...], number: int) -> Iterator[tuple[str, Pixels]]:
    """Names and photos: seven of ten from the folders, three rendered, each in its size and scene."""
    files = sorted(file for folder in folders for file in folder.rglob("*") if file.suffix.lower() in (".jpg", ".png"))
    for index in range(number):
        if index % 10 < 7:
            file = files[index * 7 % len(files)]
            name, pixels = file.name, read_photo(file).pixels
        else:
            name = f"rendered {FIRST_RENDERED + index}"
            head = Head(Identity.sample(FIRST_RENDERED + index))
            pixels = render(head, {}, 512, "portrait", supersample=1).pixels
        yield name, in_scene(pixels, SIDES[index % len(SIDES)], index)


def in_scene(pixels: Pixels, side: int, index: int) -> Pixels:
    """The photo scaled to ``side``; every third one at an edge of a scene 1.8 times as wide."""
    picture = Image.fromarray(scaled(pixels, side / max(pixels.shape)))
    if index % 3:
        return np.array(picture)
    width, height = picture.size
    scene = picture.resize((int(1.8 * width), height)).rotate(180).filter(ImageFilter.GaussianBlur(height / 12))
    grain = np.random.default_rng(index).normal(0, 6, (height, scene.width, 3))
    scene = Image.fromarray((np.array(scene) + grain).clip(0, 255).astype(np.uint8))
    scene.paste(picture, ((scene.width - width) * (index // 3 % 2), 0))
    return np.array(scene)


def marked(route: Route, pixels: Pixels, places: list[Floats]) -> Pixels:
    if route == "dwtdct":
        return library_marked(pixels)
    if route == "twocet":
        return embed.watermarked(pixels, places, SHA256)
    return added_marks(pixels, places)


def added_marks(pixels: Pixels, places: list[Floats]) -> Pixels:
    """Plain spread spectrum: the message's patterns as strong as the product makes them, whatever the face shows."""
    for place in places:
        luma, message = embed.face_luma(pixels, place), message_of(SHA256)
        layer = embed.layer_for(place)
        _, contrast = layer.view(luma)
        plain = np.clip(contrast, 1, 8) * layer.pattern(amplitudes_of(message).ravel() @ layer.carriers)
        strength = np.linalg.norm(embed.change_of(luma, message, layer)) / np.linalg.norm(plain)
        pixels = embed.added(pixels, place, (strength * plain).astype(np.float32))
    return pixels


def library_marked(pixels: Pixels) -> Pixels:
    from imwatermark import WatermarkEncoder

    encoder = WatermarkEncoder()
    encoder.set_watermark("bytes", message_of(SHA256))
    marked: Pixels = encoder.encode(np.ascontiguousarray(pixels[..., ::-1]), "dwtDct")[..., ::-1]
    return np.ascontiguousarray(marked)


def found(route: Route, pixels: Pixels, finder: FaceFinder) -> bool:
    """Whether the right message is read."""
    if route == "dwtdct":
        from imwatermark import WatermarkDecoder

        if min(pixels.shape[:2]) < 256:
            return False
        message: bytes = WatermarkDecoder("bytes", 48).decode(np.ascontiguousarray(pixels[..., ::-1]), "dwtDct")
        return message == message_of(SHA256)
    faces = finder.find(pixels)[:MOST_FACES]
    seen = (find_watermark(pixels, align.align(face.landmarks)) for face in faces)
    return any(mark is not None and mark.message == message_of(SHA256) for mark in seen)


def psnr(before: Pixels, after: Pixels) -> float:
    error = float(np.mean((before.astype(np.float64) - after) ** 2))
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def measure(editor: twocet.Editor, finder: FaceFinder, name: str, pixels: Pixels, index: int, route: Route) -> Any:
    """One result: what was found after which attack, and what the mark did to the picture."""
    codes = editor.draw_codes(index + 1, seed=7)
    try:
        result = editor.transfer(pixels, codes[index], STRENGTHS[index % len(STRENGTHS)])
    except twocet.UserError as error:
        return {"name": name, "error": str(error)}
    place = align.align(result.landmarks)
    began = time.process_time()
    after = marked(route, result.pixels, [place])
    seconds = time.process_time() - began
    corners = align.apply(align.invert(place), [(0.15, 0.1), (0.85, 0.95)])
    (left, top), (right, bottom) = np.clip(corners, 0, pixels.shape[1::-1]).astype(int)
    face = np.s_[min(top, bottom) : max(top, bottom), min(left, right) : max(left, right)]
    chosen = ATTACKS if route == "twocet" else {attack: ATTACKS[attack] for attack in FEW}
    return {
        "name": name,
        "size": result.pixels.shape[1::-1],
        "face_side": round(1 / float(np.hypot(*place[:, 0]))),
        "psnr": psnr(result.pixels, after),
        "psnr_face": psnr(result.pixels[face], after[face]),
        "seconds": seconds,
        "found": {attack: found(route, do(after), finder) for attack, do in chosen.items()},
    }


def false_finds(pool: list[tuple[Pixels, Floats]], number: int) -> dict[str, int]:
    """Unmarked crops in which a mark is seen: half of them at faces, half at any place, size and turn."""
    rng, seen = np.random.default_rng(0), 0
    for index in tqdm(range(number), desc="unmarked crops", disable=None):
        pixels, place = pool[index % len(pool)]
        side = 1 / float(np.hypot(*place[:, 0]))
        if index % 2:
            turn, scale = rng.normal(0, 0.03), side * np.exp(rng.normal(0, 0.03))
            centre = align.apply(align.invert(place), 0.5 + rng.normal(0, 0.02, 2))
        else:
            turn, scale = rng.uniform(-np.pi, np.pi), side * np.exp(rng.uniform(-1.5, 0.3))
            centre = rng.uniform((0, 0), pixels.shape[1::-1])
        linear = scale * np.array([(np.cos(turn), -np.sin(turn)), (np.sin(turn), np.cos(turn))])
        wide = align.invert(np.column_stack([linear, centre - linear @ (0.5, 0.5)]))
        crop = resample.crop(pixels, wide, 192)
        seen += find_watermark(crop, align.square_to_crop(192, 192)) is not None
    return {"crops": number, "false_finds": seen}


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Shares and percentiles over all results, and over those with larger faces."""
    good = [row for row in rows if "error" not in row]
    column = {key: np.array([row[key] for row in good]) for key in ("psnr", "psnr_face", "seconds", "face_side")}
    shares = {
        attack: {
            "all": float(np.mean([row["found"][attack] for row in good])),
            "faces of 200 px and more": float(
                np.mean([row["found"][attack] for row in good if row["face_side"] >= 200])
            ),
        }
        for attack in good[0]["found"]
    }
    return {
        "results": len(good),
        "face_side": [float(v) for v in np.percentile(column["face_side"], [0, 25, 50, 75, 100])],
        "found": shares,
        "psnr": {"least": float(column["psnr"].min()), "median": float(np.median(column["psnr"]))},
        "psnr_face": {"least": float(column["psnr_face"].min()), "median": float(np.median(column["psnr_face"]))},
        "cpu_seconds_median": float(np.median(column["seconds"])),
    }


def main(
    folders: tyro.conf.Positional[tuple[Path, ...]],
    /,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    results: int = 200,
    crops: int = 0,
    route: Route = "twocet",
) -> None:
    """Measure the watermark on photos.

    Args:
        folders: Folders of photos of faces.
        output: JSON file for the figures; what is done so far is kept beside it.
        results: How many edited photos are marked and attacked.
        crops: How many crops without a mark are looked at.
        route: Which watermark.
    """
    journal = output.with_suffix(".jsonl")
    rows = [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []
    editor, finder = twocet.load(), FaceFinder(threads=1)
    with journal.open("a") as file:
        for index, (name, pixels) in enumerate(tqdm(sources(folders, results), total=results, disable=None)):
            if index < len(rows):
                continue
            rows.append(measure(editor, finder, name, pixels, index, route))
            file.write(json.dumps(rows[-1]) + "\n")
            file.flush()
    figures = {"route": route, **(summary(rows) if rows else {})}
    if crops:
        pool = [(p, align.align(f[0].landmarks)) for _, p in sources(folders, 100) if (f := finder.find(p))]
        figures |= false_finds(pool, crops)
    output.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    tyro.cli(main)
