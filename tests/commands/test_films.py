"""Films as people have them: other clocks, pixels, turns, sizes, colours, names. Each is read as a player shows it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from twocet.errors import UserError
from twocet.photo.images import Pixels
from twocet.video.clips import ClipReader, ClipWriter, Frame
from twocet.video.pictures import oriented
from twocet.video.tones import Tones, converted, rolled_off

av = pytest.importorskip("av")
CLOCK = Fraction(1, 90_000)


def film(
    path: Path,
    pictures: Sequence[Image.Image],
    *,
    start: float = 0.0,
    last: float = 0.0,
    aspect: Fraction | None = None,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    sound: bool = False,
    **told: int,
) -> Path:
    """A film of 25 frames a second; ``told``: fields of the codec; ``last``: seconds that the last one is shown."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height = pictures[0].size
        stream.pix_fmt = pixels
        stream.codec_context.time_base = CLOCK
        if codec == "libx265":
            stream.options = {"x265-params": "log-level=none"}
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        for name, value in told.items():
            setattr(stream.codec_context, name, value)
        beep = container.add_stream("aac", rate=48_000) if sound else None
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_image(picture)
            frame.time_base, frame.pts = CLOCK, round((start + number / 25) / CLOCK)
            container.mux(stream.encode(frame))
        held = stream.encode(None)
        for packet in held:
            if last and packet.pts == max(other.pts for other in held):
                packet.duration = round(last / packet.time_base)
            container.mux(packet)
        if beep is not None:
            for number in range(10):
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                silence.sample_rate, silence.time_base = 48_000, Fraction(1, 48_000)
                silence.pts = round(start * 48_000) + 1024 * number
                container.mux(beep.encode(silence))
            container.mux(beep.encode(None))
    return path


def plain(colour: object = (200, 120, 90), size: tuple[int, int] = (64, 48), count: int = 5) -> list[Image.Image]:
    return [Image.new("RGB", size, colour)] * count  # type: ignore[arg-type]


def read(path: Path) -> list[Frame]:
    with ClipReader(path) as reader:
        return list(reader)


def copied(source: Path, target: Path) -> Any:
    with ClipReader(source) as reader, ClipWriter(target, reader.fps, None, reader) as writer:
        for frame in reader:
            writer.write(*frame)
    return av.open(str(target))


def seconds_of(path: Path) -> float:
    """What the file's heading says."""
    content = path.read_bytes()
    place = content.find(b"mvhd")
    scale, length = struct.unpack(">II", content[place + 16 : place + 24])
    return float(length / scale)


def test_a_film_whose_clock_starts_late_starts_at_zero_with_its_sound(tmp_path: Path) -> None:
    """https://github.com/superuser404notfound/AetherEngine/issues/574"""
    source = film(tmp_path / "in.ts", plain(), start=3600, sound=True)
    assert [round(frame.seconds, 2) for frame in read(source)] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16], abs=0.03)
    with copied(source, tmp_path / "out.mp4") as copy:
        video, audio = copy.streams.video[0], copy.streams.audio[0]
        begins = [float(stream.start_time * stream.time_base) for stream in (video, audio)]
    assert min(begins) < 0.03
    assert abs(begins[0] - begins[1]) < 0.06
    assert seconds_of(tmp_path / "out.mp4") < 0.5


def test_the_last_frame_is_shown_as_long_as_in_the_film(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mkv", plain(), last=2.0)
    copied(source, tmp_path / "out.mp4").close()
    assert seconds_of(tmp_path / "out.mp4") == pytest.approx(2.16, abs=0.05)
    copied(film(tmp_path / "short.mp4", plain()), tmp_path / "out.mp4").close()
    assert seconds_of(tmp_path / "out.mp4") == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize(("aspect", "size"), [(Fraction(4, 3), (85, 48)), (Fraction(1, 2), (64, 96)), (None, (64, 48))])
def test_pixels_that_are_not_square_are_made_square(
    tmp_path: Path, aspect: Fraction | None, size: tuple[int, int]
) -> None:
    (first, *_) = read(film(tmp_path / "in.mp4", plain(), aspect=aspect))
    assert first.pixels.shape[1::-1] == size


CORNER = np.zeros((4, 6, 3), np.uint8)
CORNER[0, 0] = 255
UNIT = 1 << 16


@pytest.mark.parametrize(
    ("matrix", "place", "shape"),
    [
        ((UNIT, 0, 0, 0, UNIT), (0, 0), (4, 6)),
        ((-UNIT, 0, 0, 0, UNIT), (0, 5), (4, 6)),
        ((UNIT, 0, 0, 0, -UNIT), (3, 0), (4, 6)),
        ((-UNIT, 0, 0, 0, -UNIT), (3, 5), (4, 6)),
        ((0, UNIT, 0, -UNIT, 0), (0, 3), (6, 4)),
        ((0, -UNIT, 0, UNIT, 0), (5, 0), (6, 4)),
        ((0, UNIT, 0, UNIT, 0), (0, 0), (6, 4)),
        ((0, -UNIT, 0, -UNIT, 0), (5, 3), (6, 4)),
    ],
)
def test_all_turns_and_mirrors(matrix: tuple[int, ...], place: tuple[int, int], shape: tuple[int, int]) -> None:
    """x' = a x + c y, y' = b x + d y of ISO/IEC 14496-12: where the upper left corner goes."""
    shown = oriented(CORNER, np.array((*matrix, 0, 0, 0, 1 << 30), np.int32))
    assert shown.shape[:2] == shape
    assert shown[place].tolist() == [255, 255, 255]


def test_a_mirror_in_the_file_is_shown(tmp_path: Path) -> None:
    """https://github.com/mpv-player/mpv/issues/16090"""
    picture = Image.new("RGB", (64, 48))
    picture.paste("red", (0, 0, 32, 24))
    path = film(tmp_path / "in.mov", [picture] * 3)
    content = bytearray(path.read_bytes())
    place = content.find(b"tkhd") + 44
    content[place : place + 36] = struct.pack(">9i", -UNIT, 0, 0, 0, UNIT, 0, 64 << 16, 0, 1 << 30)
    path.write_bytes(content)
    pixels = read(path)[0].pixels
    assert [[int(pixels[y, x, 0] > 128) for x in (16, 48)] for y in (12, 36)] == [[0, 1], [0, 0]]


def disc(width: int, height: int) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    return Image.fromarray((((x - width / 2) ** 2 + (y - height / 2) ** 2 < 50**2) * 255).astype(np.uint8))


def test_a_disc_stays_round_when_the_film_changes_its_size(tmp_path: Path) -> None:
    """https://github.com/ant-media/Ant-Media-Server/issues/4577"""
    parts = [
        film(tmp_path / "a.ts", [disc(160, 120).convert("RGB")] * 3),
        film(tmp_path / "b.ts", [disc(120, 160).convert("RGB")] * 3, start=0.12),
    ]
    (tmp_path / "in.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    with ClipReader(tmp_path / "in.ts") as reader:
        frames = list(reader)
        assert any("change their size" in note for note in reader.notes)
    assert {frame.pixels.shape for frame in frames} == {(120, 160, 3)}
    lit = frames[-1].pixels[..., 0] > 128
    assert np.ptp(np.flatnonzero(lit.any(0))) == pytest.approx(np.ptp(np.flatnonzero(lit.any(1))), abs=2)


def grey(code: float) -> Any:
    return np.full((1, 1, 3), round(code * 65535), np.uint16)


@pytest.mark.parametrize(
    ("kind", "code", "level"),
    [
        (Tones.HLG, 0.0, 0), (Tones.PQ, 0.0, 0),
        # Diffuse white of BT.2408, 203 cd/m2: 75 % of HLG, 58 % of PQ; a little is left for highlights.
        (Tones.HLG, 0.75, 247), (Tones.PQ, 0.5807, 247),
        # Its grey card, 26 cd/m2: 38 % of both; 255 * (26 / 203) ** (1 / 2.4) by BT.1886.
        (Tones.PQ, 0.3808, 108), (Tones.HLG, 0.38, 108),
        (Tones.HLG, 1.0, 255), (Tones.PQ, 1.0, 255),
    ],
)  # fmt: skip
def test_hdr_greys_become_those_of_ordinary_films(kind: Tones, code: float, level: int) -> None:
    shown = converted(grey(code), kind, 9)[0, 0]
    assert np.ptp(shown) <= 1
    assert int(shown[0]) == pytest.approx(level, abs=3)


def test_highlights_are_rolled_off_evenly_and_faces_stay() -> None:
    ramp = np.repeat(np.linspace(0, 5, 200, dtype=np.float32)[:, None, None], 3, axis=2)
    shown = rolled_off(ramp)[:, 0, 0]
    assert np.array_equal(shown[ramp[:, 0, 0] <= 0.8], ramp[:, 0, 0][ramp[:, 0, 0] <= 0.8])
    assert (np.diff(shown) >= -1e-6).all()
    assert shown.max() <= 1


@pytest.mark.parametrize("curve", [16, 18])
def test_hdr_films_are_converted_and_it_is_said(tmp_path: Path, curve: int) -> None:
    """https://github.com/facefusion/facefusion/issues/401"""
    told = {"colorspace": 9, "color_primaries": 9, "color_trc": curve, "color_range": 1}
    path = film(tmp_path / "in.mkv", plain((150, 150, 150)), codec="libx265", pixels="yuv420p10le", **told)
    with ClipReader(path) as reader:
        shown = next(iter(reader)).pixels[24, 32]
        assert len(reader.notes) == 2
        assert "HDR" in " ".join(reader.notes)
    assert np.ptp(shown.astype(int)) <= 3
    with copied(path, tmp_path / "out.mp4") as copy:
        context = copy.streams.video[0].codec_context
        assert (context.color_primaries, context.color_trc) == (1, 1)


def test_ten_bits_are_read_and_it_is_said(tmp_path: Path) -> None:
    path = film(tmp_path / "in.mp4", plain((150, 150, 150)), codec="libx265", pixels="yuv420p10le")
    with ClipReader(path) as reader:
        assert np.abs(next(iter(reader)).pixels.astype(int) - 150).max() <= 2
        assert reader.notes == ("The film has more than 8 bits a colour: the result has 8.",)


def test_transparent_films_are_shown_on_black(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (64, 48), (255, 255, 255, 0))
    picture.paste((255, 255, 255, 255), (0, 0, 32, 48))
    with av.open(str(tmp_path / "in.mov"), "w") as container:
        stream = container.add_stream("qtrle", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "argb"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(picture), format="rgba")))
        container.mux(stream.encode(None))
    with ClipReader(tmp_path / "in.mov") as reader:
        pixels: Pixels = next(iter(reader)).pixels
        assert reader.notes == ("The film is transparent in places: the result shows it on black.",)
    assert pixels[24, 16, 0] == 255
    assert pixels[24, 48, 0] == 0


@pytest.mark.parametrize("name", ["take:1.mp4", "100%d.mp4", "-o.mp4", "a b'c\".mp4", "TAKE.MP4"])
def test_names_that_ffmpeg_takes_for_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """https://github.com/C4illin/ConvertX/issues/442"""
    film(tmp_path / "plain.mp4", plain()).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(read(Path(name))) == 5
    copied(Path(name), Path(f"out-{name}")).close() if ":" not in name else copied(Path(name), Path("out.mkv")).close()


def test_a_capital_ending_says_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    copied(film(tmp_path / "in.mp4", plain()), tmp_path / "OUT.MKV").close()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "content",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"",
        b"x",
    ],
)
def test_playlists_and_other_files_are_no_films(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "in.mp4").write_bytes(content)
    with pytest.raises(UserError, match="not a film"):
        ClipReader(tmp_path / "in.mp4")
