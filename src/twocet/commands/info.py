"""``twocet info``: what a model is and what it was trained on."""

from __future__ import annotations

import json
from typing import Annotated, Any

import tyro


def info(
    model: Annotated[str, tyro.conf.Positional] = "default",
    json_output: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Say what a model is: dimensions, training data, licence, measurements and hash.

    examples:
      twocet info
      twocet info runs/one/model.safetensors --json

    Args:
        model: Packaged model, model file, run folder, exported folder, or hf:OWNER/NAME.
        json_output: Print a report as JSON.
    """
    from twocet.edit.models import load_editing
    from twocet.model.model import find_model

    path = find_model(model)
    loaded, identity = load_editing(path, "cpu")
    files = path.iterdir() if path.is_dir() else [path]
    # The networks of an exported model are not ours to count.
    networks = loaded.networks.named().items()
    counts = {name: sum(each.numel() for each in network.parameters()) for name, network in networks}
    facts: dict[str, Any] = {
        "file": str(path),
        "bytes": sum(file.stat().st_size for file in files),
        "sha256": identity.sha256,
        "parameters": {name: count for name, count in counts.items() if count},
        **loaded.metadata,
    }
    print(json.dumps(facts, indent=2) if json_output else describe(facts))


def describe(facts: dict[str, Any]) -> str:
    """The facts that matter most, in lines for people."""
    training = facts.get("training", {})
    counts = ", ".join(f"{name} {count:,}" for name, count in facts["parameters"].items())
    lines = [
        ("file", f"{facts['file']} ({facts['bytes'] / 1e6:.1f} MB)"),
        ("sha256", facts["sha256"]),
        ("networks", describe_networks(facts)),
        ("parameters", counts or "in ONNX files"),
        ("template", facts["template"]),
    ]
    if training:
        lines += [("training", describe_run(run)) for run in (*training.get("earlier", []), training)]
    lines += [("data", f"{data.get('name', '?')} ({data.get('licence', '?')})") for data in facts.get("data", [])]
    lines += [(name, f"{value:.4g}") for name, value in facts.get("metrics", {}).items() if isinstance(value, float)]
    if facts.get("commit"):
        lines.append(("commit", facts["commit"]))
    width = max(len(name) for name, _ in lines)
    shown = ((name, "".join(c if c.isprintable() else "?" for c in str(value))) for name, value in lines)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in shown)


def describe_networks(facts: dict[str, Any]) -> str:
    """What the networks see, and how long codes are."""
    if facts.get("method") == "shapes":
        config = facts["config"]
        return f"shapes of {config['components']} components, codes of {config['code_dim']}"
    network = facts["network"]
    return f"preset {network['preset']}, {network['size']} px, codes of {network['code_dim']}"


def describe_run(training: dict[str, Any]) -> str:
    """One training run in a few words."""
    recipe = training.get("config", {}).get("recipe", training.get("recipe", "?"))
    rounds, minutes = training.get("rounds", 0), training.get("minutes", 0)
    if recipe == "shapes" and not rounds:
        return "recipe shapes, estimated from landmarks without rounds"
    return f"recipe {recipe}, {rounds:,} rounds, {minutes:g} minutes"
