"""``twocet export``: a model as ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro


def export(
    model: tyro.conf.Positional[str],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Write a model as ONNX, to run it faster on a CPU, or without PyTorch.

    The folder gets encoder.onnx, generator.onnx and model.json. Every command takes it as --model, and the networks
    then run in less than half the time. The export takes a minute. Needs: pip install 'twocet[onnx]'

    examples:
      twocet export default -o quick
      twocet video me.jpg clip.mp4 -o out.mp4 --model quick

    Args:
        model: Name of a packaged model, or a model file.
        output: Folder to write.
        as_json: Print a report as JSON.
    """
    from twocet.errors import check
    from twocet.model import export as exported
    from twocet.model.model import find_model, identify_model, load_model
    from twocet.photo.scaling import HALF_RANGE

    path = find_model(model)
    check(not path.is_dir(), f"{path} is exported already: give the name of a packaged model, or a model file")
    difference = exported.export(load_model(path), identify_model(path), output, progress=True)
    if as_json:
        import json

        print(json.dumps({"output": str(output), "largest_difference": difference}, indent=2))
    else:
        print(f"{output} (pictures within {HALF_RANGE * difference:.2g} levels of 255 of the model's)")
