"""Give a trained model even strength: ``python tools/even_model.py RUN/model.safetensors --data faces -o FILE``.

What the end of a run does for the recipe fast (setting ``even``), for a model that was trained without it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from twocet.data.dataset import load_faces, open_dataset
from twocet.errors import UserError
from twocet.model.model import load_model, save_model
from twocet.training.export import with_even_strength, with_known_codes


def main(
    model: tyro.conf.Positional[Path],
    data: tuple[Path, ...],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
) -> None:
    """Write the model with the power its strength needs.

    Args:
        model: Model file.
        data: Dataset folders it was trained on: their validation people choose the power, and the codes of some
            training photos go into the file.
        output: The new file.
    """
    plain = load_model(model)
    held_out, known = (
        [load_faces(open_dataset(path), split, plain.size, progress=False) for path in data]
        for split in ("val", "train")
    )
    calibrated = with_even_strength(plain, held_out)
    save_model(output, with_known_codes(calibrated, known))
    print(f"{output}: power {calibrated.power:g}")


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except UserError as error:
        raise SystemExit(str(error)) from None
