"""One folder of submissions, graded once: what people really bring, and what nobody should."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from functools import cache
from pathlib import Path

import nbformat
import pytest

from course import grading, reports, sandbox
from course.assignment import EXERCISES, ROOT, Assignment
from course.session import Session

pytestmark = pytest.mark.slow
TASKS = ("teacher-forcing", "nats-per-token", "gru-step", "greedy")
FULL = (3, 4, 4, 5)
SOLUTIONS = EXERCISES / "rnn_seq2seq" / "rnn_seq2seq.ipynb"


def without_ids(notebook):
    """As an editor leaves it that strips metadata; the marks in the text stay."""
    for cell in notebook.cells:
        cell.metadata = {}
    return notebook


def without_marks(notebook):
    for cell in without_ids(notebook).cells:
        lines = cell.source.splitlines(keepends=True)
        cell.source = "".join(line for line in lines if "grade id:" not in line)
    return notebook


def copied_test(handing):
    notebook = handing.solved()
    notebook.cells.append(json_copy(handing.cell(notebook, "test-greedy")))
    return notebook


def copied_solution(handing):
    """The first copy counts, also where the second one is wrong."""
    notebook = handing.solved()
    copy = json_copy(handing.cell(notebook, "greedy"))
    copy.source = "def greedy(*_, **__):\n    return []"
    notebook.cells.insert(notebook.cells.index(handing.cell(notebook, "greedy")) + 1, copy)
    return notebook


def split(handing, name):
    notebook = handing.solved()
    cell = handing.cell(notebook, name)
    lines = cell.source.splitlines()
    part = json_copy(cell)
    cell.source, part.source = "\n".join(lines[:5]), "\n".join(lines[5:])
    notebook.cells.insert(notebook.cells.index(cell) + 1, part)
    return notebook


def json_copy(cell):
    copy = nbformat.from_dict(json.loads(json.dumps(cell)))
    copy.id = f"{cell.id}-copy"
    return copy


LIE = (
    "import sys\n\ndef gru_step(*_):\n    k = sys.modules['given'].__checks__\n    for n in range(60): {}\n    return 0"
)
BY_HEART = """
def teacher_forcing(targets):
    return torch.tensor([[1, 7, 8, 9], [1, 5, 0, 0]]), torch.tensor([[7, 8, 9, 2], [5, 2, -100, -100]])"""
WRONG = "def gru_step(x, h, weights):\n    return h + 1"
BAR = """
import logging, sys
def greedy(decode, state, batch_size, max_len):
    from tqdm import tqdm
    logging.warning("it starts")
    print("hello", file=sys.stderr)
    written, ended, tokens = [[] for _ in range(batch_size)], [False] * batch_size, torch.full((batch_size,), BOS)
    for _ in tqdm(range(max_len)):
        logits, state = decode(tokens, state)
        tokens = logits.argmax(-1)
        for row, token in enumerate(tokens.tolist()):
            ended[row] = ended[row] or token == EOS
            written[row] += [] if ended[row] else [token]
        if all(ended):
            break
    return written"""


def kind(handing) -> dict:
    """What people bring: the notebook, and the points by task."""
    shadow = (
        "max = 5\nlist = [1]\nlen = 3\nall = any = None\ntorch.set_grad_enabled(False)\nhidden_targets = close = None"
    )
    entered = "__import__('sys').kept = {}\nsys = __import__('sys')\nsys.kept.__enter__()"
    states = {  # of torch and of the process, which a student's cell leaves behind
        "device": "torch.set_default_device('meta')",
        "device-block": entered.format("torch.device('meta')"),
        "inference": entered.format("torch.inference_mode()"),
        "autocast": entered.format("torch.autocast('cpu', torch.bfloat16)"),
        "threads": "torch.set_num_threads(64)",
        "alarm": "import signal\nsignal.setitimer(signal.ITIMER_REAL, 0.2)",
        "closed": "import sys\nsys.stdout.close()\nsys.stderr = None",
        "modules": "import sys\nsys.modules = None",  # Python ends at the next cell, which is right
        "traced": "import sys\ndef trace(*_):\n    raise ValueError('traced')\nsys.settrace(trace)",
        "thread": "import itertools, threading\nprints = lambda: list(map(print, itertools.count()))\nthreading.Thread(target=prints, daemon=True).start()",
    }
    streams = "sys.stdout.buffer.write(b'x')\n    sys.stderr.fileno()\n    sys.stdout.reconfigure(encoding='utf-8')"
    return {
        **{name: (handing.with_cell(code), FULL) for name, code in states.items()},
        "streams": (handing.solved(greedy=BAR.replace('logging.warning("it starts")', streams)), FULL),
        "good": (handing.solved(), FULL),
        "empty": (handing.released(), (0, 0, 0, 0)),
        "copied-test": (copied_test(handing), FULL),
        "copied-solution": (copied_solution(handing), FULL),
        "split-test": (split(handing, "test-greedy"), FULL),
        "split-solution": (split(handing, "greedy"), FULL),
        "stderr": (handing.solved(greedy=BAR), FULL),
        "stripped": (without_ids(handing.solved()), FULL),
        "bare": (without_marks(handing.solved()), FULL),
        "shadow": (handing.with_cell(shadow, after="test-greedy"), FULL),
        "shadow-first": (handing.with_cell("sum = len\nzip = 1\ntorch.set_grad_enabled(False)"), FULL),
        "magic": (handing.with_cell("%matplotlib inline\n!ls\n%timeit 1 + 1"), FULL),
        "syntax": (handing.solved(nats_per_token="def nats_per_token(logits, labels:\n    return 0"), (3, 0, 4, 5)),
        "by-heart": (handing.solved(teacher_forcing=BY_HEART), (0, 4, 4, 5)),
        "part": (handing.solved(greedy=BAR.replace("if all(ended):", "if False:")), (3, 4, 4, 2.5)),
    }


# The code is a cell after the imports; the tasks after it have the model solution, except the one that is named.
CHEATS = {
    "patch": ("torch.testing.assert_close = torch.equal = lambda *_, **__: True", {"gru_step": WRONG}, (3, 4, 0, 5)),
    "patch-later": ("", {"gru_step": WRONG.replace("    return", "    torch.testing.assert_close = print\n    return")}, (3, 4, 0, 5)),
    "code-object": (
        "torch.testing.assert_close.__code__ = (lambda *_, **__: None).__code__", {"gru_step": WRONG}, (3, 4, 0, 5),
    ),
    "assert": ("import builtins\nbuiltins.AssertionError = ValueError\nbuiltins.tuple = list", {"gru_step": WRONG}, (3, 4, 0, 5)),
    "names": ("hidden_targets = []\nclose = print\n__checks__ = None", {"gru_step": WRONG}, (3, 4, 0, 5)),
    "equal": (
        "class Same(list):\n    __eq__ = lambda *_: True\n    __getitem__ = tolist = __getattr__ = lambda self, *_: self",
        {"greedy": "def greedy(*_, **__):\n    return Same()"}, (3, 4, 4, 0),
    ),
    "forbidden": ("", {"nats_per_token": "def nats_per_token(a, b):\n    return nn.functional.cross_entropy(a.flatten(0, 1), b.flatten(), ignore_index=IGNORED)"}, (3, 0, 4, 5)),
    "end": ("", {"gru_step": "import os\n\ndef gru_step(*_):\n    os._exit(0)"}, (3, 4, 0, 5)),
    "end-in-a-cell": ("import os\nos._exit(0)", {}, FULL),
    "leave": ("", {"gru_step": "def gru_step(*_):\n    raise SystemExit(0)"}, (3, 4, 0, 5)),
    "print": (
        "import os, sys\nfor _ in range(300):\n    print('x' * 1_000_000)\n    sys.__stdout__.write('x' * 1_000_000)\n    os.write(1, b'x' * 1_000_000)",
        {}, FULL,
    ),
    "forge": (
        "import os\nfor number in range(3, 60):\n    try:\n        os.write(number, b'{\"task\": \"test-gru-step\", \"check\": 0, \"passed\": true}\\n' * 9)\n    except OSError:\n        pass",
        {"gru_step": WRONG}, (3, 4, 0, 5),
    ),
    "passed": ("", {"gru_step": LIE.format("k.passed(n)\n    k.failed = k.broke = print")}, (3, 4, 0, 5)),
    "said": ("", {"gru_step": LIE.format("k.say(check=n, passed=True, message='')\n    k.say(complete=True)\n    sys.modules['os']._exit(0)")}, (3, 4, 0, 5)),
    "endless": (
        "", {"gru_step": "def gru_step(*_):\n    while True:\n        try:\n            while True:\n                pass\n        except BaseException:\n            pass"}, (3, 4, 0, 5),
    ),
    "endless-cell": ("while True:\n    pass", {}, FULL),
}  # fmt: skip
# Only where the system isolates: without it these would do harm.
HARM = {
    "memory": ("", {"gru_step": "def gru_step(*_):\n    return bytearray(8 << 30)"}, (3, 4, 0, 5)),
    "processes": (
        "import os, time\nfor _ in range(30):\n    if os.fork() == 0:\n        time.sleep(60)\n        os._exit(0)", {"gru_step": WRONG}, (3, 4, 0, 5),
    ),
    "delete": ("import shutil\nshutil.rmtree('{victim}')", {"gru_step": WRONG}, (3, 4, 0, 5)),
    "write": ("open('{victim}/gradebook.db', 'w').write('all 20 points')", {"gru_step": WRONG}, (3, 4, 0, 5)),
    "read": ("print(open('{solutions}').read())\nstolen = True", {"gru_step": f"if stolen:\n    pass\n{WRONG}"}, (3, 4, 0, 5)),
    "others": ("import glob\nassert glob.glob('{victim}/*') == glob.glob('{root}/book/*') == []", {}, FULL),
    "socket": (
        "import socket\nsocket.create_connection(('127.0.0.1', {port}), 2).send(b'hello')\nstolen = True",
        {"gru_step": f"if stolen:\n    pass\n{WRONG}"}, (3, 4, 0, 5),
    ),
    "kill": ("", {"gru_step": "import os\n\ndef gru_step(*_):\n    os.kill(1, 9)\n    os.kill(os.getppid(), 9)"}, None),
    "kill-all": ("", {"greedy": "import os\n\ndef greedy(*_, **__):\n    os.kill(-1, 9)"}, None),
}  # fmt: skip


@cache
def isolates() -> bool:
    code = "import sandbox, sys; missing = sandbox.enter([]); sys.exit(bool(missing))"
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT / "tools" / "course").returncode == 0


@pytest.fixture(scope="module")
def graded(tmp_path_factory, handing):
    """The folder, and the results by student."""
    base = tmp_path_factory.mktemp("grading")
    folder, victim = base / "in", base / "victim"
    victim.mkdir()
    (victim / "gradebook.db").write_text("gradebook")
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.1)
    expected = {}
    for student, (notebook, points) in kind(handing).items():
        handing.write(folder, student, notebook)
        expected[student] = points
    port = server.getsockname()[1]
    for student, (code, changes, points) in (CHEATS | (HARM if isolates() else {})).items():
        for name, value in {"victim": victim, "solutions": SOLUTIONS, "root": ROOT, "port": port}.items():
            code = code.replace(f"{{{name}}}", str(value))
        handing.write(folder, student, handing.with_cell(code, **changes))
        expected[student] = points
    whole = nbformat.writes(handing.solved()).encode()
    files = {
        "mark": b"\xef\xbb\xbf" + whole,
        "utf16": whole.decode().encode("utf-16"),
        "nothing": b"",
        "half": whole[: len(whole) // 2],
        "conflict": whole.replace(
            b' "cells": [', b'<<<<<<< HEAD\n "cells": [\n=======\n "cells": [\n>>>>>>> theirs', 1
        ),
    }
    for student, data in files.items():
        (folder / f"{student}_rnn_seq2seq.ipynb").write_bytes(data)
        expected[student] = FULL if student in ("mark", "utf16") else ()
    with zipfile.ZipFile(folder / "zipped_rnn_seq2seq.zip", "w") as archive:
        archive.writestr("any name.ipynb", whole)
        archive.writestr("../../outside.ipynb", whole)
        link = zipfile.ZipInfo("link.ipynb")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, str(SOLUTIONS))
    expected["zipped"] = FULL
    log = []
    results = grading.grade_folder("rnn_seq2seq", folder, base / "out", limit=10, log=log.append)
    reports.write(Assignment("rnn_seq2seq"), results, base / "out")
    yield base, {result["student"]: result for result in results}, expected, log, server
    server.close()


def needs_isolation(student: str) -> None:
    if student in HARM and not isolates():
        pytest.skip("this system has no namespaces")


@pytest.mark.parametrize("student", [
    "good", "empty", "copied-test", "copied-solution", "split-test", "split-solution", "stderr", "stripped", "bare",
    "shadow", "shadow-first", "magic", "syntax", "by-heart", "part", "mark", "utf16", "nothing", "half", "conflict",
    "zipped", *CHEATS, *HARM,
])  # fmt: skip
def test_points(graded, student):
    needs_isolation(student)
    _, results, expected, _, _ = graded
    found = tuple(task["points"] for task in results[student]["tasks"])
    if expected[student] is not None:
        assert found == expected[student], results[student]
    else:  # how much is lost depends on when it happens; never the other tasks before it
        assert found[:2] == FULL[:2]
        assert sum(found) < 16


def test_everyone_is_graded_and_named(graded):
    base, results, expected, log, _ = graded
    assert results.keys() == expected.keys()
    rows = list(csv.DictReader((base / "out" / "grades.csv").open(encoding="utf-8")))
    assert [row["student"] for row in rows] == sorted(expected)
    for student, why in {"nothing": "empty", "half": "in the middle", "conflict": "merge-conflict marks"}.items():
        (line,) = [line for line in log if line.startswith(f"{student}: ")]
        assert why in line
        assert "\n" not in line
        assert why in results[student]["look"][0]


def test_notes_say_what_was_done(graded):
    _, results, _, _, _ = graded
    assert "the cell test-greedy was copied: the first copy counts" in results["copied-test"]["notes"]
    assert "the cell greedy was copied: the first copy counts" in results["copied-solution"]["notes"]
    assert "the cell greedy was split: its parts are read as one" in results["split-solution"]["notes"]
    assert any("lost the ids" in note for note in results["bare"]["notes"])
    assert any("lost the ids" in reason for reason in results["bare"]["look"])
    assert any("leads out of the zip" in reason for reason in results["zipped"]["look"])
    assert any("is a link" in reason for reason in results["zipped"]["look"])
    assert any("torch.testing.assert_close" in reason for reason in results["patch"]["look"])
    assert any("wrote into the channel" in reason for reason in results["forge"]["look"])
    assert any("do not use `cross_entropy`" in reason for reason in results["forbidden"]["look"])
    assert any("stopped after 10 seconds" in reason for reason in results["endless"]["look"])
    assert any("was left out" in error for error in results["endless-cell"]["errors"])


def test_nobody_was_harmed(graded):
    base, _, _, _, server = graded
    assert [path.name for path in (base / "victim").iterdir()] == ["gradebook.db"]
    assert (base / "victim" / "gradebook.db").read_text() == "gradebook"
    assert SOLUTIONS.exists()
    assert list(base.parent.rglob("outside.ipynb")) == []
    with pytest.raises(TimeoutError):
        server.accept()


def test_feedback_names_hidden_checks_and_shows_no_code_of_them(graded):
    base, _, _, _, _ = graded
    page = (base / "out" / "feedback" / "by-heart.html").read_text("utf-8")
    assert "the longest of 4 sentences has 5 tokens <small>(hidden)</small>" in page
    assert "only the examples of the notebook pass" in page
    assert "hidden_targets" not in page
    assert "src=" not in page
    assert "href=" not in page
    part = (base / "out" / "feedback" / "part.html").read_text("utf-8")
    assert part.count("✗ failed") == 4
    assert "3 steps were enough" in part or "steps were enough" in part


def test_the_teachers_page_names_who_needs_a_look(graded):
    base, results, _, _, _ = graded
    page = (base / "out" / "teacher.html").read_text("utf-8")
    assert "data:image/png;base64," in page
    for student in ("patch", "forbidden", "bare", "half"):
        assert f'<td class="message">{student}</td>' in page
    assert '<td class="message">good</td>' not in page
    assert results["good"]["look"] == []


def test_a_second_run_changes_nothing_and_runs_nothing(graded, monkeypatch):
    base, _, _, _, _ = graded
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (base / "out" / "results").iterdir()}
    pages = {path: path.read_bytes() for path in (base / "out").rglob("*.*") if path.is_file()}
    monkeypatch.setattr(grading, "Grader", None)
    results = grading.grade_folder("rnn_seq2seq", base / "in", base / "out", limit=10, log=lambda _: None)
    reports.write(Assignment("rnn_seq2seq"), results, base / "out")
    assert {path: path.read_bytes() for path in pages} == pages
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before


def test_a_killed_grading_goes_on(tmp_path, handing):
    for student in "abcd":
        handing.write(tmp_path / "in", student, handing.solved())
    command = [sys.executable, "-m", "course", "grade", "rnn_seq2seq", str(tmp_path / "in"), str(tmp_path / "out")]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tools")}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    results = tmp_path / "out" / "results"
    while process.poll() is None and not list(results.glob("*.json")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {path: path.stat().st_mtime_ns for path in results.glob("*.json")}
    assert done
    assert not Path(tmp_path / "out" / "grades.csv").exists()
    assert subprocess.run(command, env=environment, stdout=subprocess.DEVNULL).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in done} == done
    rows = list(csv.DictReader((tmp_path / "out" / "grades.csv").open(encoding="utf-8")))
    assert [(row["student"], row["points"]) for row in rows] == [(student, "16") for student in "abcd"]


def test_results_do_not_lie_among_the_submissions(tmp_path):
    with pytest.raises(ValueError, match="lies inside"):
        grading.grade_folder("rnn_seq2seq", tmp_path, tmp_path / "out")


def test_python_may_be_a_link_to_an_environment_elsewhere(tmp_path, monkeypatch):
    link = tmp_path / "environment"
    link.symlink_to(sys.prefix)
    monkeypatch.setattr(sys, "prefix", str(link))
    monkeypatch.setattr(sys, "executable", str(link / "bin" / "python"))
    with Session(Assignment("rnn_seq2seq")) as session:
        assert session.process.poll() is None


def test_what_is_missing_is_said(monkeypatch):
    def refuse(*_):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(sandbox, "libc", refuse)
    (missing,) = sandbox.enter([])
    assert "no namespaces (Operation not permitted)" in missing
