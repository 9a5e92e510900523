"""What a comparison or an ablation trains. Nothing here imports torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from twocet.compare import methods as known
from twocet.compare.baselines.config import baseline_config
from twocet.errors import check
from twocet.method.schedules import constant
from twocet.networks.config import Preset
from twocet.runtime.settings import override
from twocet.shapes.config import ShapeConfig
from twocet.training.config import RunConfig
from twocet.training.recipes.configs import CyclesConfig, LossWeights
from twocet.training.recipes.table import owners, preset_config
from twocet.training.stretch import stretched

MethodName = Literal["2cet", "2cet-authors", "2cet-unpaired", "2cet-shapes", "starganv2", "ganimation"]
TITLES: dict[MethodName, str] = {
    "2cet": "2CET",
    "2cet-authors": "2CET, label-free",
    "2cet-unpaired": "2CET, unpaired",
    "2cet-shapes": "2CET, shapes",
    "starganv2": "StarGAN v2",
    "ganimation": "GANimation-style",
}
METHODS = tuple(TITLES)
SHAPES_SIZE = 128
"""Side of photos for runs on shapes, whose networks see none."""


class Entry(NamedTuple):
    """One model to train."""

    key: str
    """Its folder."""
    title: str
    """What tables and figures call it."""
    config: RunConfig | ShapeConfig
    raw: bool = False
    """Whether the networks themselves are meant, not their averages."""
    family: str = ""
    """What models that differ in their seed alone have in common; tables have a row of their means."""


def with_raw(entries: Sequence[Entry]) -> list[Entry]:
    """The entries, each followed by its networks before averaging where a run keeps those too."""

    def twin(entry: Entry) -> Entry:
        family = f"{entry.family}, not averaged" if entry.family else ""
        return entry._replace(title=f"{entry.title}, not averaged", raw=True, family=family)

    twins = [[e, twin(e)] for e in entries]
    return [e for pair in twins for e in (pair if isinstance(pair[0].config, CyclesConfig) else pair[:1])]


class Measuring(NamedTuple):
    """How the trained models are measured."""

    data: Path
    """Photos for the paper's protocol."""
    split: str
    benchmark: Path | None
    """A rendered benchmark, on which gain is known."""
    backbone: Literal["mobilenetv2", "inception"]
    most: int
    """Pictures of a set and cases, at most."""
    seed: int
    device: str
    command: str
    size: int
    """Side of the photos."""


def comparison(
    methods: Sequence[MethodName],
    preset: Preset,
    settings: Sequence[str],
    scale: float = 1.0,
    seeds: Sequence[int] = (),
    **given: float | str | None,
) -> list[Entry]:
    """The methods with the networks of a preset, chosen by the same metric; with ``seeds`` each of them once a seed.

    ``scale`` stretches all schedules (``twocet.training.stretch``). ``settings`` are words ``METHOD.field=value``, or
    ``field=value`` for all, and win over ``given``, the fields of all (those not None). A run on shapes has networks
    and rounds of its own: of what is said for all it takes the seed alone. Raises UserError.
    """
    check(len(set(methods)) == len(methods) > 0, f"name each method once: {' '.join(methods)}")
    check(len(set(seeds)) == len(seeds), f"name each seed once: {' '.join(map(str, seeds))}")
    if not seeds:
        return [Entry(name, TITLES[name], _config(name, preset, settings, scale, given)) for name in methods]
    return [
        Entry(
            f"{name}-seed{seed}",
            f"{TITLES[name]}, seed {seed}",
            _config(name, preset, settings, scale, {**given, "seed": seed}),
            family=TITLES[name],
        )
        for seed in seeds
        for name in methods
    ]


def _config(
    name: MethodName, preset: Preset, settings: Sequence[str], scale: float, given: Mapping[str, float | str | None]
) -> RunConfig | ShapeConfig:
    if name == "2cet-shapes":
        own = [word.removeprefix(f"{name}.") for word in settings if word.startswith(f"{name}.")]
        return override(ShapeConfig(), [f"seed={given.get('seed') or 0}", *own], owners(known.METHODS))
    words = [*_words(given), *words_for(name, settings)]
    return override(stretched(_base(name, preset), scale), words, owners(known.METHODS))


def _base(name: MethodName, preset: Preset) -> RunConfig:
    if name in ("starganv2", "ganimation"):
        return dataclasses.replace(baseline_config(name, preset), augmentation="paper")
    recipe = {"2cet": "authors" if preset == "paper" else "fast", "2cet-authors": "authors"}.get(name, "unpaired")
    return dataclasses.replace(preset_config(preset, recipe), select="agreement")  # type: ignore[call-arg]


def words_for(name: str, settings: Sequence[str]) -> list[str]:
    """The words of ``settings`` that are for the method ``name``, without its name. Raises UserError."""
    words = []
    for word in settings:
        method, dot, rest = word.partition(".")
        if dot and method in METHODS:
            words += [rest] if method == name else []
        else:
            words.append(word)
    return words


def ablation(
    preset: Preset,
    recipe: Literal["paper", "authors"],
    scale: float,
    settings: Sequence[str],
    **given: float | str | None,
) -> list[Entry]:
    """The rows of Table 3: the whole method, parts taken away one after the other, and each alone.

    ``scale`` stretches the schedules, which are made for 100,000 rounds. Raises UserError.
    """
    base = preset_config(preset, recipe)
    assert isinstance(base, CyclesConfig)
    whole = override(stretched(base, scale), [*settings, *_words(given)], owners())
    parts = list(PARTS.items())
    entries = [Entry("whole", "whole", whole)]
    config, key, title = whole, "", ""
    for name, (text, take) in parts:
        config, key, title = take(config), f"{key}-{name}", f"{title} − {text}"
        entries.append(Entry(f"without{key}", title.strip(), config))
    for name, (text, take) in parts[1:]:
        entries.append(Entry(f"only-{name}", f"− {text} alone", take(whole)))
    return entries


def _without_dynamic_weights(config: CyclesConfig) -> CyclesConfig:
    given = {field.name: getattr(config.weights, field.name) for field in dataclasses.fields(LossWeights)}
    still = {name: s if s.rise == 0 and s.start == s.stop else constant(1.0) for name, s in given.items()}
    return dataclasses.replace(config, weights=LossWeights(**still))


def _without_grey_encoder(config: CyclesConfig) -> CyclesConfig:
    return dataclasses.replace(config, network=dataclasses.replace(config.network, grey=False))


def _without_uniform_codes(config: CyclesConfig) -> CyclesConfig:
    return dataclasses.replace(config, codes="normal")


PARTS: dict[str, tuple[str, Callable[[CyclesConfig], CyclesConfig]]] = {
    "dynamic": ("dynamic weights", _without_dynamic_weights),
    "grey": ("grey encoder", _without_grey_encoder),
    "uniform": ("uniform codes", _without_uniform_codes),
}
"""What Table 3 takes away, in its order: changing weights are 1 instead, the encoder sees colours, codes are normal."""


def _words(given: Mapping[str, float | str | None]) -> list[str]:
    return [f"{name}={value}" for name, value in given.items() if value is not None]


def size_of(entries: Sequence[Entry]) -> int:
    """Side of the photos in which all of them are measured; where all are of shapes, what landmarks are read in."""
    sizes = (entry.config.network.size for entry in entries if isinstance(entry.config, RunConfig))
    return next(sizes, SHAPES_SIZE)


def described(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """The plan, JSON-able."""
    return [{"key": e.key, "title": e.title, "config": dataclasses.asdict(e.config)} for e in entries]
