"""Films: frames in and out through PyAV, with the AI mark in the container and a file that is whole or absent."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, NamedTuple

import numpy as np

from twocet.errors import UserError
from twocet.photo import credentials
from twocet.photo.images import Pixels
from twocet.photo.mark import Mark
from twocet.photo.watermark.embed import watermarked
from twocet.runtime.arrays import Floats
from twocet.runtime.files import partial_name
from twocet.video.pictures import fitted, shown

INSTALL = "pip install 'twocet[video]'"
SUFFIXES = (".mp4", ".mkv", ".mov")
_TIME_BASE = Fraction(1, 90_000)
_BT709 = 1
"""Code of ITU-T H.273."""
_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "mpegts", "mpeg", "ogg", "flv", "asf", "gif", "apng", "mxf",
    "mpegvideo", "h264", "hevc", "ivf", "dv", "wtv", "m4v", "obu", "av1", "nut", "y4m", "yuv4mpegpipe",
)  # fmt: skip
"""Formats that hold a film and never name other files or addresses, as playlists do."""
_QUALITY = "17"
"""x264's constant rate factor: differences cannot be seen."""


class Frame(NamedTuple):
    """One picture of a film."""

    pixels: Pixels
    seconds: float
    """When it is shown; the film begins at 0."""
    edited: tuple[Floats, ...] = ()
    """Where faces of it were changed, see :class:`twocet.photo.photo.Photo`."""


def import_av() -> ModuleType:
    """PyAV. Raises UserError when it is not installed."""
    try:
        import av
    except ImportError:
        raise UserError(f"Films need PyAV: {INSTALL}") from None
    module: ModuleType = av
    return module


class ClipReader:
    """A film's frames, upright, one after the other. Use it in a ``with`` statement."""

    def __init__(self, path: Path) -> None:
        """Raises UserError for a file that is no film."""
        av = import_av()
        if not path.is_file():
            raise UserError(f"{path} does not exist: give the path of a film.")
        try:
            self.container: Any = av.open(_local(path), options={"format_whitelist": ",".join(_CONTAINERS)})
        except (av.FFmpegError, OSError, ValueError) as error:
            raise UserError(f"{path} is not a film that FFmpeg reads ({error}): check the file.") from None
        if not self.container.streams.video:
            self.container.close()
            raise UserError(f"{path} has no pictures: give a film.")
        self.path = path
        self._stream = self.container.streams.video[0]
        self._stream.thread_type = "AUTO"
        rate = self._stream.average_rate or self._stream.guessed_rate or 25
        self.fps = Fraction(rate)
        length = self._stream.duration * self._stream.time_base if self._stream.duration else None
        self.count: int | None = self._stream.frames or (round(length * self.fps) if length else None)
        """How many frames there are, as far as the file says."""
        self.start = min(_start(stream) for stream in (self._stream, *([self.audio] if self.audio else [])))
        """Seconds at which the film's own clock begins: of its first picture or sound."""
        self.end = 0.0
        """Seconds until which the latest frame that was read is shown."""
        self.notes: tuple[str, ...] = ()
        """What of the frames that were read is not as it was, for users."""

    @property
    def audio(self) -> Any | None:
        """The first sound stream."""
        return self.container.streams.audio[0] if self.container.streams.audio else None

    def __iter__(self) -> Iterator[Frame]:
        """Every frame with its time; frames without one follow the one before. Raises UserError for damaged data."""
        av = import_av()
        before, step, size = -1.0, 1 / float(self.fps), None
        try:
            for frame in self.container.decode(self._stream):
                seconds = self.end if frame.time is None else frame.time - self.start
                before = max(float(seconds), before + 1e-4, 0.0)
                self.end = before + (float(frame.duration * frame.time_base) if frame.duration else step)
                picture = shown(frame, self._stream.sample_aspect_ratio)
                self._note(*picture.notes)
                pixels = picture.pixels
                size = size or pixels.shape
                if pixels.shape != size:
                    self._note("Frames change their size: all are shown at that of the first, on black.")
                    pixels = fitted(pixels, size[1], size[0])
                yield Frame(pixels, before)
        except av.FFmpegError as error:
            raise UserError(f"{self.path} is damaged after {max(before, 0):.1f} seconds ({error}).") from None

    def _note(self, *notes: str) -> None:
        self.notes = tuple(dict.fromkeys((*self.notes, *notes)))

    def __enter__(self) -> ClipReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.container.close()


class ClipWriter:
    """Writes H.264; use it in a ``with`` statement: after an error there is no file."""

    def __init__(
        self,
        path: Path,
        fps: Fraction,
        mark: Mark | None,
        film: ClipReader | None = None,
        *,
        sound: bool = True,
        source: Path | None = None,
    ) -> None:
        """``film``: where the frames come from; it says how long the last one is shown, and its ``sound`` is copied.

        ``source``: the file that was edited.

        Raises UserError.
        """
        check_clip_path(path)
        self._mark, self._source = mark, source
        self._av = import_av()
        self._path, self._fps, self._film = Path(os.path.realpath(path)), fps, film
        self._partial = partial_name(self._path)
        options = {} if path.suffix.lower() == ".mkv" else {"movflags": "use_metadata_tags+faststart"}
        self._container: Any = self._av.open(_local(self._partial), "w", options=options)
        for key, value in mark_tags(mark).items():
            self._container.metadata[key] = value
        self._video: Any = self._container.add_stream("libx264", rate=fps)
        self._video.pix_fmt = "yuv420p"
        self._video.options = {"crf": _QUALITY, "preset": "fast"}
        context = self._video.codec_context
        context.time_base = _TIME_BASE
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        self._waiting: Any = None
        """The latest frame: how long it is shown is known when the next one comes."""
        self._lengths: dict[int, int] = {}
        """Of the frames that the encoder holds, by their time; both in units of ``_TIME_BASE``."""
        self._sound_of = film if film and sound and film.audio else None
        self._audio: Any = self._add_sound() if self._sound_of else None

    def _add_sound(self) -> Any:
        assert self._sound_of is not None
        codec = self._sound_of.audio.codec_context.name  # type: ignore[union-attr]
        try:
            return self._container.add_stream_from_template(self._sound_of.audio)
        except (ValueError, self._av.FFmpegError):
            self._drop()
            raise UserError(
                f"Sound coded as {codec} cannot be copied into {self._path.name}: end the name in .mkv, or --no-sound."
            ) from None

    def write(self, pixels: Pixels, seconds: float, edited: tuple[Floats, ...] = ()) -> None:
        """Adds a :class:`Frame` by its parts, its changed faces with the watermark unless there shall be no marks.

        All have one size; an odd width or height grows by a pixel, because H.264 wants even ones.
        """
        if self._mark is not None:
            pixels = watermarked(pixels, edited, self._mark.model_sha256)
        height, width = pixels.shape[:2]
        even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        picture = self._av.VideoFrame.from_ndarray(even, format="rgb24").reformat(
            format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
        )
        picture.time_base = _TIME_BASE
        picture.pts = round(seconds / _TIME_BASE)
        if self._waiting is None:
            self._video.width, self._video.height = even.shape[1], even.shape[0]
        else:
            self._encode_waiting(picture.pts)
        self._waiting = picture

    def _encode_waiting(self, until: int) -> None:
        """Encode the frame that waits, which is shown until then."""
        self._lengths[self._waiting.pts] = max(1, until - self._waiting.pts)
        self._mux(self._video.encode(self._waiting))

    def _mux(self, packets: Any) -> None:
        for packet in packets:
            packet.duration = self._lengths.pop(packet.pts, 0)
            self._container.mux(packet)

    def __enter__(self) -> ClipWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._finish()
        except (OSError, ValueError, self._av.FFmpegError) as failure:
            reason = f"{self._path} cannot be written ({failure}): check the disk; end the name in .mkv, or --no-sound."
            raise UserError(reason) from None
        finally:
            self._drop()

    def _finish(self) -> None:
        if self._waiting is not None:
            last = self._film.end / _TIME_BASE if self._film else 0
            usual = self._waiting.pts + round(1 / self._fps / _TIME_BASE)
            self._encode_waiting(max(round(last), usual))
        self._mux(self._video.encode(None))
        if self._sound_of is not None:
            # Read anew: the packets went by while the frames were decoded.
            with ClipReader(self._sound_of.path) as again:
                for packet in again.container.demux(again.audio):
                    if packet.dts is not None and packet.pts is not None:
                        start = round(again.start / packet.time_base)
                        packet.dts, packet.pts = packet.dts - start, packet.pts - start
                        packet.stream = self._audio
                        self._container.mux(packet)
        self._container.close()
        self._sign()
        os.replace(self._partial, self._path)

    def _sign(self) -> None:
        """Puts a C2PA manifest into the finished film, where the user has a certificate chain and the format room."""
        chain = credentials.signing_chain() if self._mark is not None else None
        if self._mark is None or chain is None or self._path.suffix.lower() not in credentials.TYPES:
            return
        signed = partial_name(self._path)
        try:
            with self._partial.open("rb") as film, signed.open("wb+") as result:
                credentials.sign(film, result, self._path.suffix, self._mark, self._source, chain)
            os.replace(signed, self._partial)
        finally:
            signed.unlink(missing_ok=True)

    def _drop(self) -> None:
        self._container.close()
        self._partial.unlink(missing_ok=True)


def _local(path: Path) -> str:
    """A path as FFmpeg takes it for one: "take:1.mp4" would be an address, and % a pattern of names."""
    return f"file:{path}"


def _start(stream: Any) -> Fraction:
    return Fraction(stream.start_time * stream.time_base) if stream.start_time is not None else Fraction(0)


def check_clip_path(path: Path) -> None:
    """Raises UserError unless a film can be written there."""
    import_av()
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: end the name in {', '.join(SUFFIXES)} so that the format is known.")
    if path.is_dir() or not path.parent.is_dir():
        raise UserError(f"{path} cannot be written: give a file in a folder that exists.")
    if not os.access(path.parent, os.W_OK):
        raise UserError(f"The folder {path.parent} may not be written: choose another one.")


def mark_tags(mark: Mark | None) -> dict[str, str]:
    """The AI mark as tags of a film's container."""
    if mark is None:
        return {}
    tags = {
        "comment": f"Faces in this film were changed by a trained model. DigitalSourceType: {mark.digital_source_type}",
        "DigitalSourceType": mark.digital_source_type,
        "software": mark.software,
        "twocet_model": mark.model,
        "twocet_model_sha256": mark.model_sha256,
        "twocet_strength": None if mark.strength is None else f"{mark.strength:g}",
    }
    return {key: value for key, value in tags.items() if value}


def mark_in_tags(tags: Mapping[str, str]) -> Mark | None:
    """The AI mark in the tags of a film's container, the counterpart of :func:`mark_tags`."""
    found = {key.lower(): value for key, value in tags.items()}
    kind = found.get("digitalsourcetype")
    if kind is None or "trainedalgorithmicmedia" not in kind.lower():
        return None
    return Mark(
        digital_source_type=kind,
        software=found.get("software"),
        model=found.get("twocet_model"),
        model_sha256=found.get("twocet_model_sha256"),
    )
