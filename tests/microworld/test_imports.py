"""The package's imports: nothing of seqbook, no circles, and from words towards tasks only."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import microworld

PACKAGE = Path(microworld.__file__).parent
# Each room may import those before it; realize and draw, tasks and reader don't know each other.
ROOMS = {
    "words": set(), "events": {"words"}, "realize": {"events", "words"}, "draw": {"events", "words"},
    "story": {"draw", "realize", "events", "words"}, "tasks": {"story", "draw", "realize", "events", "words"},
    "reader": {"story", "draw", "events", "words"}, "cache": set(), "": {"cache", "tasks"},
}  # fmt: skip


def modules():
    """(name, syntax tree) of each module of the package."""
    for file in PACKAGE.rglob("*.py"):
        parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
        yield ".".join(parts).removesuffix(".__init__"), ast.parse(file.read_text(encoding="utf-8"))


NAMES = {name for name, _ in modules()}


def imported(tree):
    """The modules that a module imports: of `from microworld.words import names`, the name is a module too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in NAMES else node.module for name in whole)


GRAPH = {name: set(imported(tree)) for name, tree in modules()}


def room(name):
    return [*name.split("."), ""][1]


def test_nothing_of_seqbook_is_imported():
    assert len(GRAPH) > 30
    assert not {name for names in GRAPH.values() for name in names if name.split(".")[0] == "seqbook"}
    code = "import sys, microworld.reader.reading, microworld.tasks.prompting; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"seqbook", "torch"} & set(loaded)


def test_imports_make_no_circle():
    list(TopologicalSorter({name: names & NAMES for name, names in GRAPH.items()}).static_order())


def test_imports_between_rooms_go_one_way():
    for name, names in GRAPH.items():
        rooms = {room(other) for other in names & NAMES} - {room(name)}
        assert rooms <= ROOMS[room(name)], name


def test_importing_the_package_imports_no_task():
    code = "import sys, microworld; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"datasets", "microworld.tasks.translation", "microworld.words.verbs"} & set(loaded)
