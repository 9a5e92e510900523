"""``twocet import-authors``: the authors' checkpoints as our model files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import tyro


def import_authors(
    checkpoint: tyro.conf.Positional[Path],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Turn a checkpoint of the paper's authors into a model file.

    Reads {step}_model_s.ckpt (the averaged networks, whose pictures are better) or {step}_model.ckpt. Size, code
    and widths follow from the shapes. Whether you may use the weights is for their authors to say.

    examples:
      twocet import-authors 065000_model_s.ckpt -o authors.safetensors
      twocet transfer me.jpg smile.jpg -o out.png --model authors.safetensors

    Args:
        checkpoint: The authors' file.
        output: Model file to write.
        as_json: Print a report as JSON.
    """
    from twocet.errors import check
    from twocet.model.authors import import_checkpoint
    from twocet.model.model import save_model

    check(output.suffix == ".safetensors", f"{output} must end in .safetensors")
    check(output.parent.is_dir(), f"there is no folder {output.parent} for {output.name}")
    model, has_discriminator = import_checkpoint(checkpoint)
    # In float16 the outputs would differ from the authors' by more than 1e-5.
    save_model(output, model, half=False)
    if not has_discriminator:
        print("note: the checkpoint holds no discriminator, so the model has none", file=sys.stderr)
    if as_json:
        import json

        facts = {"output": str(output), "network": model.metadata["network"], "has_discriminator": has_discriminator}
        print(json.dumps(facts, indent=2))
    else:
        print(output)
