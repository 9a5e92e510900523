"""The checker of packages, on a small house with one thing wrong at a time."""

from __future__ import annotations

from pathlib import Path

import pytest
from structure import packages_by_row, violations

TABLE = """
Before | the | table

| row | packages | knows |
|---|---|---|
| ground | `runtime` | files, never `edit` |
| pictures | `photo` `readers` | pixels |
| programs | `edit/` | `cli` |

| another | table | of `things` |
"""
HOUSE = {
    "__init__.py": "from importlib import import_module\nimport_module('house.edit.editor')\n",
    "__main__.py": "from house.cli import main\n",
    "cli.py": "import house.edit.editor\nfrom house import __version__\n",
    "errors.py": "import json\n",
    "runtime/__init__.py": "",
    "runtime/files.py": "import os\nfrom house.errors import UserError\nfrom house import __version__\n",
    "photo/__init__.py": "from .images import read\n",
    "photo/images.py": "from house.runtime import files\nfrom ..runtime.files import write\n",
    "readers/__init__.py": "",
    "readers/features/__init__.py": "from house.photo import images\n",
    "edit/__init__.py": "",
    "edit/editor.py": "def f():\n    from house.photo import images, read\n    import house.readers.features\n",
}


@pytest.fixture
def found(tmp_path: Path):
    """The violations of the house with some files changed."""

    def check(changed: dict[str, str], table: str = TABLE) -> list[str]:
        for name, text in {**HOUSE, **changed}.items():
            path = tmp_path / "house" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return violations(tmp_path / "house", table)

    return check


def test_rows_are_those_of_the_first_table():
    assert packages_by_row(TABLE) == [["runtime"], ["photo", "readers"], ["edit"]]


def test_a_sound_house_has_none(found):
    assert found({}) == []


@pytest.mark.parametrize(
    ("file", "text", "wanted"),
    [
        ("runtime/files.py", "from house.photo import images", "runtime.files:1 imports photo.images"),
        ("runtime/files.py", "def f():\n    import house.edit.editor", "runtime.files:2 imports edit.editor"),
        ("photo/images.py", "import os\nfrom ..edit import editor", "photo.images:2 imports edit.editor"),
        ("photo/__init__.py", "from ..edit.editor import Editor", "photo:1 imports edit.editor"),
        ("photo/images.py", "import house.edit", "photo.images:1 imports edit, and edit is above photo"),
        ("readers/features/deep.py", "from ...edit import editor", "readers.features.deep:1 imports edit.editor"),
        ("edit/editor.py", "from house import cli", "edit.editor:1 imports cli, and cli is above edit"),
        ("edit/editor.py", "import house", "edit.editor:1 imports __init__"),
        ("edit/editor.py", "from house import load", "edit.editor:1 imports __init__"),
        ("errors.py", "from house.runtime import files", "errors:1 imports runtime.files"),
    ],
)
def test_imports_upward(found, file, text, wanted):
    assert any(line.startswith(wanted) for line in found({file: text}))


def test_two_packages_of_a_row_may_not_import_each_other(found):
    lazy = {"photo/images.py": "def f():\n    from house.readers import features\n"}
    assert found(lazy) == [
        "packages import each other: photo → readers → photo",
        "modules import each other: photo.images → readers.features → photo.images",
    ]
    # Without a circle of modules: another module of the first package.
    only = found({"photo/other.py": "from house.readers import features\n"})
    assert only == ["packages import each other: photo → readers → photo"]


def test_modules_of_a_package_may_not_import_each_other(found):
    made = found({
        "photo/a.py": "from house.photo.b import x", "photo/b.py": "from .c import x",
        "photo/c.py": "def f():\n    from . import a",
    })  # fmt: skip
    assert made == ["modules import each other: photo.a → photo.b → photo.c → photo.a"]


def test_all_circles_are_named(found):
    made = found({f"photo/{name}.py": f"from . import {other}" for name, other in ("ab", "ba", "cd", "dc")})
    assert [line.split(": ")[1] for line in made] == ["photo.a → photo.b → photo.a", "photo.c → photo.d → photo.c"]


def test_every_module_has_a_package(found):
    assert found({"stray.py": ""}) == ["stray is in no package"]
    assert found({"stray.py": "", "attic/box.py": ""})[1:] == ["attic is a package that the table does not have"]


def test_every_package_of_the_table_is_there_once(found):
    assert found({}, TABLE.replace("`edit/`", "`edit` `web`")) == ["web is in the table and not in the source"]
    assert found({}, TABLE.replace("`edit/`", "`edit` `photo`"))[0] == "photo is in the table twice"
    assert found({}, "no table")[0] == "edit is a package that the table does not have"


def test_packages_are_few(found):
    many = [f"room{number}" for number in range(17)]
    table = TABLE.replace("`edit/`", " ".join(["`edit`", *(f"`{name}`" for name in many)]))
    assert found({f"{name}/__init__.py": "" for name in many}, table) == ["there are 21 packages, 1 too many"]
