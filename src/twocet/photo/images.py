"""Photos: files to pixels and back, with the metadata that must survive."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import warnings
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError

from twocet.errors import UserError
from twocet.photo.png import png_info
from twocet.runtime.files import write_whole

Pixels = npt.NDArray[np.uint8]
"""uint8, height x width x RGB, 0..255."""

MAX_PIXELS = 100_000_000
SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
READABLE_SUFFIXES = frozenset(SUFFIXES) | {".bmp", ".gif", ".avif"}

# What describes the picture itself. Everything else (strip offsets, sizes, orientation, thumbnail) is either
# wrong for the new file or shows the face as it was before.
_KEPT_TAGS = (
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
    ExifTags.Base.XResolution,
    ExifTags.Base.YResolution,
    ExifTags.Base.ResolutionUnit,
)
_DROPPED_CAPTURE_TAGS = (
    ExifTags.Base.MakerNote,
    ExifTags.Base.ExifImageWidth,
    ExifTags.Base.ExifImageHeight,
    ExifTags.Base.ExifInteroperabilityOffset,
)
JPEG_XMP_LIMIT = 65_502
_TIFF_XMP_TAG = 700


@dataclass(frozen=True, kw_only=True)
class Photo:
    """A whole picture, upright, in RGB, with the metadata to carry over to the result."""

    pixels: Pixels
    alpha: npt.NDArray[np.uint8] | None = None
    """(height, width) opacity, 255 = opaque; None when the file has none."""
    path: Path | None = None
    icc: bytes | None = None
    """RGB colour profile of the pixels; None means sRGB."""
    exif: bytes | None = None
    """Description, camera and place as an EXIF block; never the orientation, which is already applied."""
    xmp: bytes | None = None
    format: str | None = None
    """Pillow's name of the file's format; None for a picture that came from memory."""

    @property
    def size(self) -> tuple[int, int]:
        """Width, height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]


PhotoLike = str | os.PathLike[str] | Image.Image | npt.NDArray[np.generic] | Photo


def read_photo(photo: PhotoLike, *, max_pixels: int = MAX_PIXELS) -> Photo:
    """Reads a file, a PIL image or an array (H, W), (H, W, 3) or (H, W, 4), uint8 or uint16.

    Applies the EXIF orientation, converts any mode to 8-bit RGB (16-bit is scaled), takes the first frame of an
    animation. Raises UserError for anything that is no such picture or has more than ``max_pixels`` pixels.
    """
    if isinstance(photo, Photo):
        return photo
    if isinstance(photo, np.ndarray):
        return _from_array(photo)
    if isinstance(photo, Image.Image):
        return _from_pil(photo, path=None)
    return _from_file(Path(photo), max_pixels)


def _from_file(path: Path, max_pixels: int) -> Photo:
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "does not exist"
        raise UserError(f"{path} {problem}: give the path of a picture file.")
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty: copy the picture again.")
    too_large = UserError(
        f"{path} has more than {max_pixels / 1e6:.0f} million pixels: scale the picture down before editing it."
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as file:
                if file.width * file.height > max_pixels:
                    raise too_large
                return _from_pil(file, path)
    except Image.DecompressionBombError:
        raise too_large from None
    except UnidentifiedImageError:
        raise UserError(f"{path} is not a picture (PNG, JPEG, WebP and TIFF are read): check the file.") from None
    except PermissionError:
        raise UserError(f"{path} may not be read: change its permissions.") from None
    except UserError:
        raise
    except Exception as error:
        # Pillow's decoders raise a dozen unrelated types (OSError, SyntaxError, struct.error, ...) for damaged data.
        raise UserError(f"{path} is damaged ({error}): copy or export the picture again.") from None


def _from_array(array: npt.NDArray[np.generic]) -> Photo:
    remedy = "give uint8 or uint16, height x width, or height x width x 3 (RGB) or 4 (RGBA)."
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)) or array.size == 0:
        raise UserError(f"An array of shape {array.shape} is not a picture: {remedy}")
    if array.dtype == np.uint16:
        array = _to_8_bit(array, 65_535)
    if array.dtype != np.uint8:
        raise UserError(f"An array of {array.dtype} is not a picture: {remedy}")
    pixels = array[:, :, None] if array.ndim == 2 else array
    colour = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels[:, :, :3].copy()
    alpha = pixels[:, :, 3].copy() if pixels.shape[2] == 4 else None
    return Photo(pixels=np.asarray(colour, np.uint8), alpha=None if alpha is None else np.asarray(alpha, np.uint8))


def _from_pil(picture: Image.Image, path: Path | None) -> Photo:
    file_format = picture.format
    if getattr(picture, "n_frames", 1) > 1:
        picture.seek(0)
    upright = ImageOps.exif_transpose(picture)
    colour, alpha, icc = _to_rgb(upright)
    xmp = upright.info.get("xmp") or upright.info.get("XML:com.adobe.xmp")
    return Photo(
        pixels=np.array(colour),
        alpha=None if alpha is None else np.array(alpha),
        path=path,
        icc=icc,
        exif=_kept_exif(picture),
        xmp=xmp.encode() if isinstance(xmp, str) else xmp,
        format=file_format,
    )


def _to_rgb(picture: Image.Image) -> tuple[Image.Image, Image.Image | None, bytes | None]:
    """RGB, opacity, and the colour profile of the RGB (None: sRGB)."""
    icc = picture.info.get("icc_profile")
    if picture.mode == "F" or picture.mode.startswith("I"):
        return _deep_grey(picture).convert("RGB"), None, None
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        alpha: Image.Image | None = rgba.getchannel("A")
        colour = rgba.convert("RGB")
    else:
        alpha, colour = None, picture
    if colour.mode == "RGB":
        kept = icc if icc and _profile_space(icc) == "RGB" else None
        return colour, alpha, kept
    if icc and colour.mode == "CMYK" and _profile_space(icc) == "CMYK":
        srgb = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(colour, _profile(icc), srgb, outputMode="RGB")
        if converted is not None:
            return converted, alpha, None
    kept = icc if icc and colour.mode == "P" and _profile_space(icc) == "RGB" else None
    return colour.convert("RGB"), alpha, kept


def _deep_grey(picture: Image.Image) -> Image.Image:
    """Modes of more than 8 bits per grey value, scaled (Pillow's own conversion clips at 255)."""
    values = np.asarray(picture).astype(np.float64)
    if picture.mode.startswith("I;16"):
        white = 65_535.0
    else:
        top = float(np.nan_to_num(values).max())
        steps = (1.0, 255.0, 65_535.0) if picture.mode == "F" else (255.0, 65_535.0)
        white = next((step for step in steps if top <= step), top)
    return Image.fromarray(_to_8_bit(np.nan_to_num(values), white))


def _to_8_bit(values: npt.NDArray[np.generic], white: float) -> Pixels:
    return np.clip(np.rint(values.astype(np.float64) * (255 / white)), 0, 255).astype(np.uint8)


def _profile(icc: bytes) -> ImageCms.ImageCmsProfile:
    from io import BytesIO

    return ImageCms.ImageCmsProfile(BytesIO(icc))


def _profile_space(icc: bytes) -> str | None:
    try:
        return _profile(icc).profile.xcolor_space.strip()
    except (OSError, ImageCms.PyCMSError):
        return None


def _kept_exif(picture: Image.Image) -> bytes | None:
    original = picture.getexif()
    kept = Image.Exif()
    for tag in _KEPT_TAGS:
        if tag in original:
            kept[tag] = original[tag]
    capture = original.get_ifd(ExifTags.IFD.Exif).items()
    place = original.get_ifd(ExifTags.IFD.GPSInfo)
    kept.get_ifd(ExifTags.IFD.Exif).update((tag, value) for tag, value in capture if tag not in _DROPPED_CAPTURE_TAGS)
    kept.get_ifd(ExifTags.IFD.GPSInfo).update(place)
    return kept.tobytes() if len(kept) or capture or place else None


def write_photo(path: str | os.PathLike[str], photo: Photo, *, xmp: bytes | None = None) -> Path:
    """Writes PNG, JPEG (quality 95, 4:4:4), WebP or TIFF by the suffix, with colour profile, EXIF and ``xmp``.

    ``xmp`` replaces the photo's own packet. A file appears whole or not at all. JPEG has no opacity: the photo is
    laid on white. Raises UserError for an unknown suffix or a place that cannot be written.
    """
    path = Path(path)
    check_writable(path)
    file_format = SUFFIXES[path.suffix.lower()]
    picture = Image.fromarray(photo.pixels)
    if photo.alpha is not None:
        picture.putalpha(Image.fromarray(photo.alpha))
        if file_format == "JPEG":
            white = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(white, picture).convert("RGB")
    options = _save_options(file_format, photo, photo.xmp if xmp is None else xmp)
    buffer = io.BytesIO()
    picture.save(buffer, format=file_format, **options)
    return write_whole(path, buffer.getvalue())


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raises UserError unless ``path`` has a suffix that ``write_photo`` knows and its folder exists."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: end the name in {', '.join(sorted(SUFFIXES))} so that the format is known.")
    if not path.parent.is_dir():
        raise UserError(f"The folder {path.parent} does not exist: create it first.")
    if path.is_dir():
        raise UserError(f"{path} is a folder: give the name of a file.")
    if not os.access(path.parent, os.W_OK):
        raise UserError(f"The folder {path.parent} may not be written: choose another one.")


def _save_options(file_format: str, photo: Photo, xmp: bytes | None) -> dict[str, object]:
    options: dict[str, object] = {"icc_profile": photo.icc} if photo.icc else {}
    if photo.exif:
        options["exif"] = photo.exif
    if xmp and file_format == "TIFF":
        tags = Image.Exif()
        tags.load(photo.exif or b"")
        tags[_TIFF_XMP_TAG] = xmp
        options["exif"] = tags
    elif xmp and file_format == "PNG":
        options["pnginfo"] = png_info(xmp)
    elif xmp and (file_format != "JPEG" or len(xmp) <= JPEG_XMP_LIMIT):
        options["xmp"] = xmp
    specific: dict[str, dict[str, object]] = {
        "JPEG": {"quality": 95, "subsampling": 0},
        "WEBP": {"quality": 95, "method": 4},
        # Uncompressed: with a compression Pillow writes through libtiff, which cannot take an EXIF directory.
        "TIFF": {},
        "PNG": {"compress_level": 6},
    }
    return options | specific[file_format]


def photo_key(photo: PhotoLike) -> Hashable:
    """What tells one picture from another; a file is not read for it."""
    if isinstance(photo, (str, os.PathLike)):
        with contextlib.suppress(OSError):
            status = os.stat(photo)
            return os.path.abspath(photo), status.st_mtime_ns, status.st_size
        return os.path.abspath(photo)
    picture = read_photo(photo)
    digest = hashlib.blake2b(np.ascontiguousarray(picture.pixels).data)
    for part in (picture.alpha, picture.icc, picture.xmp, picture.exif):
        digest.update(b"" if part is None else bytes(part))
    return picture.size, picture.path, digest.digest()
