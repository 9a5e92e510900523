"""Configurations: frozen dataclasses, kept as JSON."""

from __future__ import annotations

from typing import Any, get_type_hints

from twocet.errors import check


def from_dict(kind: type[Any], values: dict[str, Any]) -> Any:
    """Rebuild a configuration from ``dataclasses.asdict`` or its JSON. Raises UserError for fields it does not know."""
    hints = get_type_hints(kind)
    unknown = sorted(set(values) - set(hints))
    check(not unknown, f"unknown settings {', '.join(unknown)}: the file was made by another version of twocet")
    nested = {name: from_dict(hints[name], value) for name, value in values.items() if isinstance(value, dict)}
    return kind(**{**values, **nested})
