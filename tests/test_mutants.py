"""The tool behind `make mutants`, on a project of one module."""

import ast
import csv
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import mutants.__main__ as command
import mutation
from mutants import in_place

ROOT = Path(__file__).parents[1]
TOOLS = os.environ | {"PYTHONPATH": str(ROOT / "tools")}
MODULE = '''"""A module."""


def double(x: int | None, *, n: int | None = None) -> int:
    if x is None:
        raise ValueError(f"x={x}: give more than {0 + 1}")
    return 2 * x


def spin(again):
    while again:
        break
    return list(zip(again, again, strict=True))
'''
TEST = """from seqbook.nn.toy import double, spin


def test_double():
    assert double(2) == 4


def test_spin():
    assert spin([1]) == [(1, 1)]
"""
# The same tool three times: interrupted after two mutants, all of them, and again after a test was added.
RUNS = """
import sys
from pathlib import Path
import mutants.__main__ as mutants

print(mutants.main(["--sample=2", "--limit=2"]))
print(mutants.main(["nn/toy", "--limit=2"]))
rows = Path("build/mutants/rows.csv").read_text()
Path("tests/nn/test_toy.py").open("a").write("\\n\\ndef test_three():\\n    assert double(3) == 6\\n")
print(mutants.main(["nn", "--limit=2"]))
assert Path("build/mutants/rows.csv").read_text().startswith(rows)
"""


@pytest.mark.slow
def test_mutants_are_caught_survive_or_hang_and_what_is_known_is_not_run_again(tmp_path):
    for folder in ("lib/seqbook/nn", "tests/nn", "tools/mutants"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "lib/seqbook/__init__.py").touch()
    (tmp_path / "lib/seqbook/nn/__init__.py").touch()
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "lib/seqbook/nn/toy.py").write_text(MODULE)
    (tmp_path / "tests/nn/test_toy.py").write_text(TEST)
    (tmp_path / "tools/mutants/named.csv").write_text(
        "module,change,reason\nnn/toy,while not again:,both end at once\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", RUNS],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=TOOLS,
    )
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert first.startswith("nn/toy: 2 mutants (a sample of 9), ")
    assert rest[rest.index("nn/toy: 9 mutants, 7 caught, 1 named") + 1 :] == [
        "    not caught: return 2 + x",
        "7 of 9 mutants caught (77.8 %), 1 neither caught nor named in tools/mutants/named.csv",
        "1",
        "nn/toy: 9 mutants, 8 caught, 1 named",
        "8 of 9 mutants caught (88.9 %), 0 neither caught nor named in tools/mutants/named.csv",
        "0",
    ]
    with (tmp_path / "build/mutants/rows.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["module"] == "nn/toy"]
    assert len({row["code"] for row in rows[:9]}) == 9  # each once, although the first run ended early
    caught = {row["change"]: row["caught"] for row in rows}
    assert caught["continue"] == "tests/nn/test_toy.py::test_spin"
    assert caught["return 3 * x"] == "tests/nn/test_toy.py::test_double"
    assert caught["return 2 + x"] == "tests/nn/test_toy.py::test_three"
    assert (tmp_path / "lib/seqbook/nn/toy.py").read_text() == MODULE


def test_a_test_that_fails_without_any_change_catches_nothing(tmp_path):
    for folder in ("lib/seqbook/nn", "tests/nn"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "lib/seqbook/nn/toy.py").write_text("x = 1\n")
    (tmp_path / "tests/nn/test_toy.py").write_text("def test():\n    assert False\n")
    command = [sys.executable, "-m", "mutants", "nn/toy"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=TOOLS)
    assert done.returncode == 1
    assert "tests/nn/test_toy.py::test without any change" in done.stderr


def test_a_tool_that_is_ended_ends_the_tests_that_it_has_started(tmp_path):
    """Also those that ignore the signal."""
    for folder in ("lib/seqbook/nn", "tests/nn"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "lib/seqbook/nn/toy.py").write_text("x = 1\n")
    waits = "import signal, time, pathlib\n\ndef test():\n    signal.signal(15, signal.SIG_IGN)\n"
    waits += f"    pathlib.Path({str(tmp_path / 'started')!r}).touch()\n    time.sleep(300)\n"
    (tmp_path / "tests/nn/test_toy.py").write_text(waits)
    tool = psutil.Popen([sys.executable, "-m", "mutants", "nn/toy"], cwd=tmp_path, stderr=subprocess.PIPE, env=TOOLS)
    try:
        while not (tmp_path / "started").exists():
            assert tool.poll() is None
            time.sleep(0.1)
        children = tool.children(recursive=True)
        assert children
    finally:
        tool.terminate()
    assert "the same command goes on" in tool.stderr.read().decode()
    assert tool.wait(30) == 1
    assert psutil.wait_procs(children, timeout=10)[1] == []


SOURCE = """def f(x):
    log.warning("%d", 1)
    return g(x, scale=2, bias=None)
"""


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        (mutation.CallRemover(), [SOURCE.replace('log.warning("%d", 1)', 'pass  # log.warning("%d", 1)')]),
        (mutation.KeywordRemover(), [SOURCE.replace(" scale=2,", ""), SOURCE.replace(", bias=None", "")]),
    ],
)
def test_calls_and_keyword_arguments_are_removed(operator, expected):
    plain = {code for _, code in mutation.mutants(SOURCE)}
    found = [code for _, code in mutation.mutants(SOURCE, operator) if code not in plain]
    assert [ast.dump(ast.parse(code)) for code in found] == [ast.dump(ast.parse(code)) for code in expected]


def test_a_change_that_only_removes_a_line_is_named():
    source = "@cache\ndef f(x):\n    return x\n"
    assert list(mutation.mutants(source)) == [("without @cache", "def f(x):\n    return x\n")]


def test_what_computes_nothing_is_not_changed():
    changes = [change for change, _ in mutation.mutants(MODULE)]
    assert "if x is not None:" in changes or "if not x is None:" in changes
    assert not [change for change in changes if "raise" in change or "def" in change or "strict" in change]


LINES = """import math

SIZE = 2


def f(x, y=1):
    if x > (
        y
    ):
        return math.sqrt(
            x
        )
    match x:
        case 1:
            return [y for _ in range(3)]
    return lambda z: z + x
"""


@pytest.mark.parametrize(
    ("change", "lines", "in_a_function"),
    [
        (("SIZE = 2", "SIZE = 3"), {3}, False),
        (("y=1", "y=2"), {6}, False),
        (("x > (", "x < ("), {7, 8, 9}, True),
        (("        y\n    ):", "        not y\n    ):"), {7, 8, 9}, True),
        (("            x\n", "            -x\n"), {10, 11, 12}, True),
        (("match x", "match -x"), {13}, True),
        (("case 1", "case 2"), {14}, True),
        (("range(3)", "range(4)"), {15}, True),
        (("z + x", "z - x"), {16}, True),
        (("    return lambda z: z + x\n", ""), {16}, True),
    ],
)
def test_what_a_change_changes(change, lines, in_a_function):
    changed = LINES.replace(*change)
    assert in_place.changed_lines(LINES, changed) == lines
    assert in_place.changes_a_function(LINES, changed) == in_a_function


def test_a_name_may_stand_for_all_changes_that_begin_with_it():
    assert command.is_named("a = b - c", "a = b - c")
    assert command.is_named("a = b - c", "a = …")
    assert not command.is_named("a = b - c", "a = b")
    assert not command.is_named("b = c", "a = …")


def test_each_named_mutant_has_a_module_and_a_reason():
    with (ROOT / "tools/mutants/named.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert (ROOT / f"lib/seqbook/{row['module']}.py").exists(), row
        assert len(row["reason"]) > 10, row
    assert len({(row["module"], row["change"]) for row in rows}) == len(rows)
