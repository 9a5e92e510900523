"""The laboratory sets: what their file names say, how the paper's authors framed them, what they must be called."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Collection
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from twocet.errors import UserError
from twocet.photo.align import upright_square
from twocet.photo.images import READABLE_SUFFIXES, Pixels, decode_photo, read_pixels
from twocet.runtime.arrays import Floats

SetName = Literal["cfee", "rafd", "cfd", "london", "folder"]


class PhotoFile(NamedTuple):
    """A photo in a folder or in a zip file."""

    container: Path
    member: str
    """Path inside the container, with forward slashes."""

    @property
    def label(self) -> str:
        """What reports call it: the container's name and the member."""
        return f"{self.container.name}/{self.member}"

    @property
    def stem(self) -> str:
        """The file's name without its suffix."""
        return PurePosixPath(self.member).stem

    def content(self) -> bytes:
        """The file's bytes. Raises UserError."""
        try:
            if self.container.is_dir():
                return (self.container / self.member).read_bytes()
            with zipfile.ZipFile(self.container) as archive:
                return archive.read(self.member)
        except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise UserError(f"{self.label} cannot be read ({error}): copy or unpack it again") from None


def decode(content: bytes, label: str) -> Pixels:
    """The upright RGB pixels of a picture file's bytes. Raises UserError."""
    return read_pixels(decode_photo(content, label))


def photos_in(container: Path) -> list[PhotoFile]:
    """All pictures in a folder (and the folders in it) or in a zip file, in the order of their paths."""
    if container.is_dir():
        members = [path.relative_to(container).as_posix() for path in container.rglob("*") if path.is_file()]
    elif container.is_file() and zipfile.is_zipfile(container):
        with zipfile.ZipFile(container) as archive:
            members = [info.filename for info in archive.infolist() if not info.is_dir()]
    else:
        problem = "is not a zip file" if container.exists() else "does not exist"
        raise UserError(f"{container} {problem}: give the folder or the zip file with the original photos")
    kept = [name for name in members if not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))]
    return [PhotoFile(container, name) for name in sorted(kept) if Path(name).suffix.lower() in READABLE_SUFFIXES]


class Original(NamedTuple):
    """What a set's file name says about a photo."""

    photo: PhotoFile
    name: str
    """Name of the crop, without suffix."""
    identity: str
    expression: str
    domain: str
    pose_yaw: str = ""
    """Degrees; empty where the set does not say."""
    gaze: str = ""


def parse_cfee(photo: PhotoFile) -> Original | None:
    """``CC_ID_*.jpg``: class 01 is neutral, 02 to 26 are expressions."""
    found = re.fullmatch(r"(\d{1,2})_(\d+)(?:_.*)?", photo.stem)
    if not found:
        return None
    label, identity = int(found[1]), found[2]
    expression = "neutral" if label == 1 else f"class-{label:02d}"
    return Original(photo, f"{identity}_{label:02d}", identity, expression, _domain(label == 1))


RAFD_CODES = {
    "neutral": 1, "happy": 2, "sad": 3, "angry": 5, "surprised": 6, "disgusted": 7, "fearful": 8, "contemptuous": 9,
}  # fmt: skip
"""The classes of CFEE that the paper's authors gave the expressions of RaFD."""
_RAFD_YAW = {"045": "-45", "090": "0", "135": "45"}


def parse_rafd(photo: PhotoFile) -> Original | None:
    """``RafdAAA_ID_race_gender_expression_gaze.jpg``; the angles 45, 90 (frontal) and 135.

    Neutral is only who looks neutral *and* straight ahead; neutral faces with averted gaze are expressive.
    """
    found = re.fullmatch(r"Rafd(\d{3})_(\d+)_([^_]+)_([^_]+)_([^_]+)_([^_]+)", photo.stem, re.IGNORECASE)
    if not found or found[1] not in _RAFD_YAW or found[5].lower() not in RAFD_CODES:
        return None
    angle, identity, expression, gaze = found[1], found[2], found[5].lower(), found[6].lower()
    name = f"{identity}_{RAFD_CODES[expression]:02d}_{angle}_{gaze}"
    domain = _domain(expression == "neutral" and gaze == "frontal")
    return Original(photo, name, identity, expression, domain, _RAFD_YAW[angle], gaze)


_CFD_EXPRESSIONS = {"N": "neutral", "A": "angry", "F": "fearful", "HC": "happy-closed", "HO": "happy-open"}


def parse_cfd(photo: PhotoFile) -> Original | None:
    """``CFD-WM-001-014-N.jpg``: group, person, picture, expression. Also CFD-MR and CFD-INDIA."""
    found = re.fullmatch(r"CFD-([A-Z]{1,2})-(\d+)-(\d+)-(N|A|F|HC|HO)", photo.stem, re.IGNORECASE)
    if not found:
        return None
    expression = _CFD_EXPRESSIONS[found[4].upper()]
    return Original(photo, photo.stem, f"{found[1]}-{found[2]}".upper(), expression, _domain(expression == "neutral"))


def parse_london(photo: PhotoFile) -> Original | None:
    """``NNN*.jpg`` in a folder or zip file whose name says neutral or smiling (``neutral_front.zip``)."""
    found = re.fullmatch(r"(\d+)(?:_.*)?", photo.stem)
    place = photo.label.lower().rpartition("/")[0]
    if not found or ("neutral" in place) == ("smil" in place):
        return None
    domain = _domain("neutral" in place)
    return Original(photo, f"{found[1]}-{domain}", found[1], "neutral" if domain == "neutral" else "smile", domain)


def parse_folder(photo: PhotoFile) -> Original | None:
    """``neutral/PERSON*.jpg`` and ``expressive/[EXPRESSION/]PERSON*.jpg``; PERSON ends at the first underscore.

    ``a_n`` and ``b_e``, the paper's names of the two groups, are understood too; :func:`read_originals` knows classes.
    """
    *folders, _ = photo.label.split("/")
    for depth, folder in enumerate(folders):
        if folder.lower() in _GROUPS:
            domain = _GROUPS[folder.lower()]
            inner = "-".join(folders[depth + 1 :])
            expression = "neutral" if domain == "neutral" else inner or "expressive"
            name = "-".join(filter(None, (photo.stem, inner, domain)))
            return Original(photo, name, photo.stem.partition("_")[0], expression, domain)
    return None


_GROUPS = {"neutral": "neutral", "expressive": "expressive", "a_n": "neutral", "b_e": "expressive"}


def _domain(is_neutral: bool) -> str:
    return "neutral" if is_neutral else "expressive"


def frame_rafd(width: int, height: int) -> Floats:
    """The authors' fixed crop of RaFD's 681 x 1024 photos: x 30, y 90, side 621; in proportion for other sizes."""
    scale = width / 681
    return upright_square(30 * scale, 90 * scale, 621 * scale)


def frame_cfd(width: int, height: int) -> Floats:
    """The authors' fixed crop of CFD: without the upper 2 %, the square in the middle."""
    top = 0.02 * height
    side = min(width, height - top)
    return upright_square((width - side) / 2, top + (height - top - side) / 2, side)


class LabSet(NamedTuple):
    """One set of photos and its customs."""

    name: str
    licence: str
    citation: str
    parse: Callable[[PhotoFile], Original | None]
    pattern: str
    """How its files are called, for people."""
    split: Literal["paper", "tenth", "random"]
    """The rule if none is asked for."""
    test_ids: tuple[str, ...] = ()
    """The people of the paper's test split."""
    more_test_ids: tuple[str, ...] = ()
    """Those that the authors added later (paper, Sec. 4.7)."""
    frame: Callable[[int, int], Floats] | None = None
    """photo_to_crop of the authors' fixed crop; None where they cropped by landmarks."""


_ON_REQUEST = "research only, by the agreement with its distributors"
SETS: dict[str, LabSet] = {
    "cfee": LabSet(
        "Compound Facial Expressions of Emotion", _ON_REQUEST,
        "Du, S., Tao, Y., & Martinez, A. M. (2014). Compound facial expressions of emotion. PNAS, 111(15), "
        "E1454-E1462.",
        parse_cfee, "CC_ID_*.jpg", "paper",
        ("122", "174", "185", "224", "272", "188", "187", "265"),
        ("378", "365", "369", "268", "235", "284", "304", "118"),
    ),
    "rafd": LabSet(
        "Radboud Faces Database", _ON_REQUEST,
        "Langner, O., et al. (2010). Presentation and validation of the Radboud Faces Database. Cognition & Emotion, "
        "24(8), 1377-1388.",
        parse_rafd, "RafdAAA_ID_race_gender_expression_gaze.jpg", "paper", ("12", "15", "21", "57", "67", "43"),
        frame=frame_rafd,
    ),
    "cfd": LabSet(
        "Chicago Face Database", _ON_REQUEST,
        "Ma, D. S., Correll, J., & Wittenbrink, B. (2015). The Chicago Face Database. Behavior Research Methods, 47, "
        "1122-1135.",
        parse_cfd, "CFD-GROUP-PERSON-PICTURE-EXPRESSION.jpg", "random", frame=frame_cfd,
    ),
    "london": LabSet(
        "Face Research Lab London Set", "CC BY 4.0",
        "DeBruine, L., & Jones, B. (2017). Face Research Lab London Set (Version 5). figshare. "
        "doi:10.6084/m9.figshare.5047666.v5",
        parse_london, "neutral*/NNN*.jpg and smiling*/NNN*.jpg", "tenth",
    ),
    "folder": LabSet(
        "", "", "", parse_folder,
        "neutral/PERSON*.jpg and EXPRESSION/PERSON*.jpg or expressive/[EXPRESSION/]PERSON*.jpg",
        "random",
    ),
}  # fmt: skip


def read_originals(
    kind: SetName, containers: tuple[Path, ...], *, anywhere: bool = False
) -> tuple[list[Original], list[str]]:
    """The set's photos by person (neutral first), and the labels of the pictures whose names say nothing.

    In plain folders a class beside ``neutral`` (``happy/PERSON*.jpg``) is an expression, whatever it is called.
    ``anywhere``: so is every other folder, and photos in none have no expression named.

    Raises UserError where no name is understood or two photos would get the same name.
    """
    photos = [photo for container in containers for photo in photos_in(container)]
    parsed = [(photo, SETS[kind].parse(photo)) for photo in photos]
    if kind == "folder":
        homes = {_home_of_neutral(photo) for photo, original in parsed if original and original.domain == "neutral"}
        parsed = [(photo, original or _in_class(photo, homes)) for photo, original in parsed]
    if kind == "folder" and anywhere:
        parsed = [(photo, original or _in_any_folder(photo)) for photo, original in parsed]
    found = [original for _, original in parsed if original is not None]
    if not found:
        raise UserError(f"no photo is called {SETS[kind].pattern}: {len(photos)} pictures in {_names(containers)}")
    by_name: dict[str, Original] = {}
    for original in found:
        other = by_name.setdefault(original.name, original)
        if other is not original:
            raise UserError(
                f"{other.photo.label} and {original.photo.label} would both be {original.name}: remove one of them"
            )
    order = sorted(found, key=lambda original: (original.identity, original.domain != "neutral", original.name))
    return order, [photo.label for photo, original in parsed if original is None]


def _home_of_neutral(photo: PhotoFile) -> tuple[str, ...]:
    """The folders above the one that is called neutral."""
    *folders, _ = photo.label.split("/")
    names = [folder.lower() for folder in folders]
    return tuple(folders[: next(depth for depth, name in enumerate(names) if name in _GROUPS)])


def _in_class(photo: PhotoFile, homes: Collection[tuple[str, ...]]) -> Original | None:
    """An expressive photo from a folder beside ``neutral``, named after its class."""
    *folders, _ = photo.label.split("/")
    for home in homes:
        inner = folders[len(home) :]
        if inner and tuple(folders[: len(home)]) == home:
            expression = "-".join(inner)
            name = f"{photo.stem}-{expression}"
            return Original(photo, name, photo.stem.partition("_")[0], expression, "expressive")
    return None


def _in_any_folder(photo: PhotoFile) -> Original:
    """A photo wherever it is: ``[EXPRESSION/]PERSON*.jpg``."""
    *folders, _ = photo.label.split("/")
    expression = "-".join(folders[1:])
    name = "-".join(filter(None, (photo.stem, expression)))
    return Original(photo, name, photo.stem.partition("_")[0], expression, "expressive")


def _names(containers: tuple[Path, ...]) -> str:
    return ", ".join(str(container) for container in containers)
