"""The commands that the README, the pages and the chapters tell a reader to type: each of them exists."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
TEXTS = [ROOT / "README.md", *sorted(ROOT.glob("book/**/*.md")), *sorted(ROOT.glob("book/[0-9]*/*.ipynb"))]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
BINARIES = {
    "jupyter": "jupyter-book",
    "pre-commit": "pre_commit",
    "nbgrader": "nbgrader",
    "python": "torch",
}  # who brings it


@pytest.fixture(scope="module")
def commands() -> set[str]:
    """What stands in code, inline or in a block of its own, line by line without comments."""
    found = set()
    for path in TEXTS:
        text = path.read_text("utf-8")
        if path.suffix == ".ipynb":
            text = "\n\n".join(cell.source for cell in nbformat.reads(text, 4).cells if cell.cell_type == "markdown")
        blocks = re.findall(r"^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        lines = [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()]
        found |= {*lines, *re.findall(r"`([^`\n]+)`", text)}
    return found


def arguments(commands: set[str], pattern: str) -> set[str]:
    return {match[1] for command in commands if (match := re.match(pattern, command))}


def test_targets_of_make_and_their_variables(commands):
    targets = arguments(commands, r"make ([\w-]+)")
    assert len(targets) > 8
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert targets <= set(phony.split())
    variables = {
        name for command in commands if command.startswith("make ") for name in re.findall(r"\b([A-Z]+)=", command)
    }
    assert {"A", "IN", "OUT", "NAME", "URL"} <= variables
    assert {name for name in variables if f"$({name})" not in MAKEFILE} == set()


def test_published_results_can_be_made_again(commands):
    names = arguments(commands, r"make results NAME=(\S+)")
    assert len(names) > 15
    sweeps = "".join(path.read_text("utf-8") for path in ROOT.glob("benchmarks/sweeps/*.py"))
    assert {name for name in names if f'"{name}"' not in sweeps} == set()


def test_programs_and_modules(commands):
    programs = arguments(commands, r"\.venv/bin/([\w-]+)")
    assert {"python", "jupyter", "nbgrader"} <= programs
    assert programs <= set(BINARIES)
    pinned = (ROOT / "requirements.txt").read_text("utf-8")
    assert {name for name in programs if f"\n{BINARIES[name]}==" not in pinned} == set()
    modules = arguments(commands, r"(?:\.venv/bin/)?python -m ([\w.]+)")
    assert {"seqbook", "benchmarks.book"} <= modules
    for module in modules:
        places = [ROOT / folder / module.replace(".", "/") for folder in ("", "lib", "tools")]
        assert any(path.with_suffix(".py").exists() or (path / "__main__.py").exists() for path in places), module
    subcommands = arguments(commands, r"(?:\.venv/bin/)?python -m seqbook (\w+)")
    parsers = re.findall(r'add_parser\(\s*"([\w-]+)"', (ROOT / "lib" / "seqbook" / "__main__.py").read_text("utf-8"))
    assert len(subcommands) > 4
    assert subcommands <= set(parsers)
