"""What the commands do with point sets and meshes in place of photos."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from twocet.commands.shared import announce
from twocet.errors import check
from twocet.runtime.arrays import Floats
from twocet.runtime.files import json_bytes, make_folder
from twocet.shapes.drawing import PICTURES, Cell, Look, draw, triangles_of
from twocet.shapes.model import PACKAGED, ShapeModel, load
from twocet.shapes.points import ARCHIVE, MESH, PointSets, meshes_in, read_points, write_archive, write_obj

DEFAULT = "default"
"""The model that the commands name for photos: for points it stands for the packaged shape model."""


def neutralize(target: Path, output: Path, model: str, *, as_json: bool) -> None:
    """``twocet neutralize`` for faces of points."""
    faces = read_points(target).points
    _write(target, output, _load(model).neutralize(faces), as_json, before=faces)


def transfer(
    target: Path, references: Sequence[Path], output: Path, model: str, strengths: Sequence[float], *, as_json: bool
) -> None:
    """``twocet transfer`` for faces of points. Every target with every reference at every strength, in this order.

    One reference with one face serves all targets; as many as there are targets serve one each.
    """
    shapes, faces = _load(model), read_points(target).points
    made = []
    for path in references:
        codes = shapes.encode(read_points(path).points)
        check(
            len(codes) in (1, len(faces)),
            f"{path} holds {len(codes)} faces: a reference has one, or one for each of the {len(faces)} targets",
        )
        made += [shapes.transfer(faces, codes, strength) for strength in strengths]
    _write(target, output, np.concatenate(made), as_json, before=np.concatenate([faces] * len(made)))


def sample(target: Path, output: Path, num: int, seed: int, strength: float, model: str, *, as_json: bool) -> None:
    """``twocet sample`` for faces of points: ``num`` expressions on the first face."""
    shapes, face = _load(model), read_points(target).points[:1]
    drawn = shapes.draw_codes(num, seed)
    faces = np.repeat(face, num, axis=0)
    _write(target, output, shapes.transfer(faces, drawn, strength), as_json, before=faces)


def continuum(
    target: Path,
    reference: Path | None,
    seed: int | None,
    output: Path,
    steps: int,
    start: float,
    stop: float,
    model: str,
    *,
    as_json: bool,
) -> None:
    """``twocet continuum`` for faces of points: the first face with one expression in steps.

    The expression is that of the first face of ``reference``, or drawn with ``seed``.
    """
    shapes, face = _load(model), read_points(target).points[0]
    check((reference is None) != (seed is None), "Give one expression: a REFERENCE with points, or --seed NUMBER.")
    check(steps >= 2, f"A continuum of {steps} steps has no start and end: ask for 2 or more.")
    if reference is not None:
        code = shapes.encode(read_points(reference).points[:1])[0]
    else:
        code = shapes.draw_codes(1, seed or 0)[0]
    strengths = np.linspace(start, stop, steps)
    titles = [f"{strength:g}" for strength in strengths]
    made = shapes.continuum(face, code, strengths)
    _write(target, output, made, as_json, before=np.repeat(face[None], steps, axis=0), titles=titles)


def _load(model: str) -> ShapeModel:
    return load(PACKAGED if model == DEFAULT else model)


def _write(
    target: Path, output: Path, faces: Floats, as_json: bool, *, before: Floats, titles: Sequence[str] = ()
) -> None:
    """Faces as an archive, as one picture, or as meshes like the target's: one as a file, several in a folder."""
    like = _meshes(target)
    if output.suffix.lower() == ARCHIVE:
        files = [write_archive(output, PointSets(points=faces))]
    elif output.suffix.lower() in PICTURES:
        names = titles or [""] * len(faces)
        files = [draw(output, [Cell(*cell) for cell in zip(faces, names, before, strict=True)], _look(target))]
    else:
        check(
            bool(like),
            f"{output}: points of {target} have no mesh; name an archive ({ARCHIVE}) or a picture ({PICTURES[0]})",
        )
        files = _mesh_files(output, like, len(faces))
        for file, face, mesh in zip(files, faces, like * len(faces), strict=False):
            write_obj(file, face, mesh)
    announce([{"target": str(target), "output": str(file)} for file in files], as_json=as_json)


def _meshes(path: Path) -> list[Path]:
    return meshes_in(path) if path.is_dir() else [path] if path.suffix.lower() == MESH else []


def _look(path: Path) -> Look:
    """How faces from ``path`` are drawn: meshes as surfaces, others as points of photos."""
    meshes = _meshes(path)
    return Look(triangles_of(meshes[0]), down=False) if meshes else Look()


def _mesh_files(output: Path, like: Sequence[Path], num: int) -> list[Path]:
    if output.suffix.lower() == MESH:
        check(num == 1, f"{output} would hold {num} meshes: name a folder, or an archive ({ARCHIVE})")
        return [output]
    make_folder(output)
    digits = len(str(num))
    if num == len(like):
        return [output / mesh.name for mesh in like]
    return [output / f"{like[k % len(like)].stem}-{k + 1:0{digits}}{MESH}" for k in range(num)]


def evaluate(model: str, data: Path, split: str, output: Path, *, as_json: bool) -> None:
    """``twocet evaluate`` for a shape model."""
    from twocet.shapes import reports, sources

    shapes = _load(model)
    make_folder(output)
    faces, _ = sources.read_faces(data, split, output)
    result = reports.report(shapes, faces)
    result = {"model": model, "data": str(data), "command": shlex.join(["twocet", *sys.argv[1:]]), **result}
    files = reports.write(output, result, shapes, faces, _look(data))
    if as_json:
        print(json_bytes(result, indent=2).decode())
    else:
        print(reports.to_markdown(result))
        print("\n".join(f"written: {file}" for file in files))
