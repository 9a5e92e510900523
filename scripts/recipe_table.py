"""Writes the table of ``docs/recipes.md``: what the paper says, what its authors ran, and what each recipe here does.

The last four columns come from the code: a test fails when the document says something else. Run this to bring it up to
date: PYTHONPATH=src python scripts/recipe_table.py
"""

from __future__ import annotations

from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

from twocet.method.schedules import Schedule
from twocet.training.config import RunConfig
from twocet.training.recipes.table import RECIPES

DOCUMENT = Path(__file__).parents[1] / "docs" / "recipes.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


class Item(NamedTuple):
    """One line of the table."""

    name: str
    paper: str
    """What the paper says; an en dash where it says nothing."""
    authors: str
    """What the authors' published command and code do."""
    fields: tuple[str, ...] = ()
    """Settings by their name for --set; none where nothing can be changed."""
    fixed: str = ""
    """What all recipes here do where nothing can be changed."""


ITEMS = (
    Item("image size, px", "128", "128", ("network.size",)),
    Item("code, numbers", "32", "32 (default of the code: 64)", ("network.code_dim",)),
    Item("networks", "Sec. 3.1", "as published", ("network.preset",)),
    Item("code distribution", "U(−.5, .5); Gaussian in the ablation", "uniform", ("codes",)),
    Item("its width", "1", "1; `normal`: N(0, code_max)", ("code_range",)),
    Item("neutral code", "0", "0", fixed="0"),
    Item("encoder sees grey", "yes", "yes: the channels' mean", ("network.grey",)),
    Item("batch, per domain", "–", "8", ("batch",)),
    Item("rounds", "100,000, best 65,000", "100,000 (default 200,000)", ("steps",)),
    Item("learning rate G, E, D", "–", "1e-4 (default of E: 1e-6)", ("lr", "lr_encoder", "lr_discriminator")),
    Item("its course", "–", "constant", ("warm_up", "decay")),
    Item("Adam's betas, G and E", "–", "0, .99", ("betas",)),
    Item("Adam's betas, D", "–", "0, .99", ("betas_discriminator",)),
    Item("weight decay (L2)", "–", "1e-4", ("weight_decay",)),
    Item("λ adversarial, expressive", "a symbol", "1", ("weights.adversarial_expressive",)),
    Item("λ adversarial, neutral", "a symbol", "1", ("weights.adversarial_neutral",)),
    Item("λ cycle, neutral", "a symbol", "1", ("weights.cycle_neutral",)),
    Item("λ cycle, expressive", "1 → 1.5 by 10,000", "1 (`0,100000,1.0,1.0`)", ("weights.cycle_expressive",)),
    Item("λ code", "0 → 1 by 5,000", "0 → 1 by 5,000 (`5000,30000,1.0,1.0`)", ("weights.code",)),
    Item("λ diversity", "1 → 0 by 10,000", "1 → 0 by 100,000 (`0,100000,1.0,0.0`)", ("weights.diversity",)),
    Item("λ neutral photos kept", "–", "no such term", ("weights.kept",)),
    Item("R1 (times the ½ in it)", "not mentioned", "0.5 on real faces of both domains", ("r1",)),
    Item("R1 every … updates of D", "–", "1", ("r1_every",)),
    Item("mismatch in D: real faces of the other domain are fake", "–", "no", ("mismatch",)),
    Item("diversity loss", "plain L1", "proportional; second fake detached", ("diversity",)),
    Item("encoder's output times", "–", "1", fixed="1"),
    Item("average of G and E", "–", ".999, once a round", ("ema",)),
    Item("shorter at the start", "–", "no", ("ema_warm_up",)),
    Item("mini-batches of a round", "both cycles combined", "3: (ENE+NEN), (ENE+NEN), (NEN)", ("cycles",)),
    Item("adversarial loss", "log D + log(1−D)", "cross-entropy, non-saturating for G", fixed="non-saturating"),
    Item("initial weights", "–", "PyTorch's own", fixed="`paper` networks: PyTorch's own; `fast`: He"),
    Item("augmentation", "random crop, flip", "p = .5 crop (area .8–1, aspect .9–1.1), flip", ("augmentation",)),
    Item("photos", "–", "`.png`, shuffled epochs, remainder dropped", fixed="shuffled epochs, remainder dropped"),
    Item("photos of the size that `fast` networks look at", "–", "no", ("coarse",)),
    Item("bfloat16 on a CPU", "–", "no", ("bf16",)),
    Item("validation every … rounds", "5,000, on the test people", "5,000", ("validate_every",)),
    Item("chooses the best by", "Fréchet distance on the test people", "by hand", ("select",)),
    Item("codes of a length that makes strength even", "–", "no", ("even",)),
    Item("checkpoint every … rounds", "–", "500 (backup), 5,000 (kept)", ("checkpoint_every",)),
    Item("samples every … rounds", "–", "500", ("sample_every",)),
    Item("log every … rounds", "–", "running mean, α = .02", ("log_every",)),
    Item("seed", "–", "none", ("seed",)),
)  # fmt: skip


def show(value: Any) -> str:
    """A setting as the table says it."""
    if isinstance(value, Schedule):
        return _show_schedule(value)
    if value is None:
        return "like G"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(show(part) for part in value)
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)


def value(config: RunConfig, field: str) -> str:
    """A setting of a recipe as the table says it; an en dash where the recipe has none."""
    first, *rest = field.split(".")
    return show(reduce(getattr, rest, getattr(config, first))) if hasattr(config, first) else "–"


def _show_schedule(schedule: Schedule) -> str:
    text = f"0 → {schedule.start:g} by {schedule.rise:,}" if schedule.rise else f"{schedule.start:g}"
    return text if schedule.stop == schedule.start else f"{text} → {schedule.stop:g} by {schedule.end:,}"


def table() -> str:
    """The whole table in Markdown."""
    lines = [
        "| item | paper | authors' command | `paper` | `authors` | `fast` | option (`--set`) |",
        "|---|---|---|---|---|---|---|",
    ]
    for item in ITEMS:
        values = [
            ", ".join(value(RECIPES[name].defaults, field) for field in item.fields) or item.fixed
            for name in ("paper", "authors", "fast")
        ]
        option = ", ".join(f"`{field}`" for field in item.fields) or "–"
        lines.append(f"| {item.name} | {item.paper} | {item.authors} | {' | '.join(values)} | {option} |")
    return "\n".join(lines)


def rewritten(document: str) -> str:
    """The document with the table of today."""
    before, rest = document.split(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    DOCUMENT.write_text(rewritten(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
