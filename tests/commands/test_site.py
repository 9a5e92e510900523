"""The documents hold together: links, snippets of Python, the notebook, the README's length, banned words."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import twocet
from twocet.edit.examples import example_photos

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def headings(page: Path) -> set[str]:
    """Anchors of a page, as Markdown renderers make them."""
    found = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", heading) for heading in found)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    broken = []
    for groups in LINK.findall(page.read_text(encoding="utf-8")):
        link = "".join(groups)
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in headings(target)):
            broken.append(link)
    assert broken == []


def test_every_page_is_in_the_navigation():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert [page.name for page in sorted(ROOT.glob("docs/*.md")) if f"- {page.name}" not in text] == []


def test_the_readme_is_short():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(re.sub(r"```.*?```|!?\[([^\]]*)\]\([^)]*\)", r"\1", text, flags=re.DOTALL).split()) <= 700


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with the photos that the documents name."""
    folder = tmp_path_factory.mktemp("documents")
    photos = example_photos()
    (folder / "me.jpg").write_bytes(photos["target-1"].read_bytes())
    (folder / "smile.jpg").write_bytes(photos["reference-1-happy"].read_bytes())
    return folder


@pytest.mark.parametrize("page", ["README.md", "docs/api.md"])
def test_snippets_of_python_run(page, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    blocks = PYTHON.findall((ROOT / page).read_text(encoding="utf-8"))
    assert blocks
    for block in blocks:
        exec(compile(block, page, "exec"), {})
    assert (workplace / "out.png").is_file()


def test_the_notebook_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cells = json.loads((ROOT / "docs" / "tutorial.ipynb").read_text(encoding="utf-8"))["cells"]
    names: dict[str, object] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    assert isinstance(names["neutral"], twocet.Result)
    assert (tmp_path / "out.png").is_file()
    assert "nobody.jpg does not exist" in capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_words_are_plain_english(page):
    banned = r"\b(decently|our fault|gone on with|is no number|in less time|two piles|neutralise)\b"
    assert re.findall(banned, page.read_text(encoding="utf-8"), re.IGNORECASE) == []


MEASUREMENTS = {"baselines", "experiments", "findings", "gpu", "log", "model-card-label-free", "reproducing", "shapes"}


def sentences(page: Path) -> list[list[str]]:
    """The words of every sentence, without code, tables and the addresses of links."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"\A---\n.*?\n---\n|^ *```.*?^ *```$|^\|.*?$", "\n", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`]*`", "code", re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text))
    blocks = re.split(r"\n\s*\n|\n(?= *(?:[-*#]|\d+\.) )", text)
    return [sentence.split() for block in blocks for sentence in re.split(r"(?<=[.!?:;])[)*”]*\s", block)]


@pytest.mark.parametrize("page", [page for page in PAGES if page.stem not in MEASUREMENTS], ids=lambda page: page.name)
def test_pages_and_sentences_are_short(page):
    found = sentences(page)
    assert [" ".join(words) for words in found if len(words) > 40] == []
    assert sum(map(len, found)) <= 1500


@pytest.mark.parametrize("page", [page for page in PAGES if page.stem != "log"], ids=lambda page: page.name)
def test_options_in_commands_exist(page):
    helps = {file.stem: file.read_text(encoding="utf-8") for file in ROOT.glob("docs/help/*.txt")}
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    unknown = []
    for command, second, rest in re.findall(r"twocet ([a-z-]+)(?: ([a-z]+))?([^\n`#]*)", text):
        described = helps.get(f"{command}-{second}", helps.get(command))
        options = re.findall(r"--[a-z][a-z-]+", rest) if described else []
        unknown += [(command, option) for option in options if option not in described and option != "--help"]
    assert unknown == []
