"""Reading what students hand in, without running anything."""

import io
import json
import os
import time
import unicodedata
import zipfile
from itertools import pairwise
from pathlib import PurePosixPath

import nbformat
import pytest

from course import grading, intake, rules, similar
from course.assignment import EXERCISES, Assignment, forbidden
from course.checks import Rewriter, short_name
from course.intake import collect, file_of, files_in_zip
from course.matching import plan
from course.notebook import Unreadable, read

NAMES = sorted(path.stem for path in EXERCISES.glob("*/*.ipynb"))
CELLS = [{"cell_type": "code", "source": ["x = 1\n", "y = 2"], "metadata": {}}]
WHOLE = json.dumps({"cells": CELLS, "nbformat": 4}).encode()


@pytest.mark.parametrize(
    "data",
    [
        WHOLE,
        b"\xef\xbb\xbf" + WHOLE,
        b"\n" + WHOLE + b"\n\0",
        WHOLE.decode().encode("utf-16"),
        WHOLE.decode().encode("utf-16-le"),
        ("\n" + WHOLE.decode()).encode("utf-16-be"),
        WHOLE.decode().encode("utf-32"),
        json.dumps({"cells": [{"cell_type": "Code", "source": ["x = 1", "y = 2"]}]}).encode(),
        json.dumps({"worksheets": [{}, {"cells": [{"cell_type": "code", "input": "x = 1\ny = 2"}]}]}).encode(),
        WHOLE.replace(b"x = 1", "x = 'ä'".encode("cp1252")),
        json.dumps({"worksheets": [{"cells": [{"cell_type": "code", "input": "x = 1\ny = 2"}]}]}).encode(),
        json.dumps({"cells": [*CELLS, None, 7], "metadata": []}).encode(),
    ],
)
def test_reads_whatever_holds_cells(data):
    (cell,) = read(data)
    assert (cell.type, cell.id) == ("code", None)
    assert cell.source.startswith("x = ")
    assert cell.source.endswith("\ny = 2")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"\xef\xbb\xbf \n", "empty"),
        (WHOLE[:-20], "in the middle"),
        (WHOLE[: WHOLE.index(b"= 1")], "in the middle"),
        (WHOLE.decode().encode("utf-16")[:-31], "in the middle"),
        (b"import torch\nx = 1", "no notebook"),
        (b"<html>", "no notebook"),
        (WHOLE + b"\nxx", "no notebook: Extra data at line 2"),
        (b"<<<<<<< HEAD\n" + WHOLE + b"\n=======\n", r"merge-conflict marks \(line 1\)"),
        (b"[1, 2]", "no cells"),
        (b'{"cells": []}', "no cells"),
        (b"%PDF-1.4 }", "no notebook"),
        (b'{"cells": ' + b"[" * 200_000, "nested too deeply"),
        (b'{"cells": [], "n": ' + b"1" * 5_000 + b"}", "no notebook: Exceeds the limit"),
        (b"[" * 100_000 + b"}", "nested"),
    ],
)
def test_says_in_a_line_why_a_file_is_no_notebook(data, why):
    with pytest.raises(Unreadable, match=why) as failure:
        read(data)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("grade_id", [["greedy"], {"a": 1}, 7, None])
def test_a_grade_id_of_another_type_is_none(grade_id):
    cell = CELLS[0] | {"metadata": {"nbgrader": {"grade_id": grade_id}}}
    (found,) = read(json.dumps({"cells": [cell]}).encode())
    assert found.id is None


@pytest.mark.parametrize(
    "code",
    [
        "-" * 200_000 + "1",
        "x = " + "+".join("1" * 600),
        "x = " + "+".join("1" * 100_000),
        "x" + "()" * 50_000,
        "not " * 50_000 + "x",
        "!ls\n" * 5_000,
        "x = '\ud800\0'",
    ],
    ids=["minus", "sum", "long sum", "calls", "not", "magics", "no text"],
)
def test_no_code_stops_its_reader(code):
    """Or keeps it busy for minutes: nothing limits the time outside of the sandbox."""
    began = time.process_time()
    planned = plan(read(json.dumps({"cells": [CELLS[0] | {"source": code}]}).encode()), Assignment("rnn_seq2seq"))
    assert rules.strange(planned.others) == []
    assert time.process_time() - began < 30


@pytest.mark.parametrize("magic", ["%%time", "%%timeit -n 1", "%%capture out"])
def test_a_magic_hides_no_broken_rule(handing, magic):
    notebook, assignment = handing.solved(nats_per_token="nats_per_token = F.cross_entropy"), Assignment("rnn_seq2seq")
    cell = handing.cell(notebook, "nats-per-token")
    cell.source = f"{magic}\n{cell.source}"
    planned = plan(read(nbformat.writes(notebook).encode()), assignment)
    found = [rules.broken_rule(task, list(planned.code.values())) for task in assignment.tasks]
    assert found == ["", "the task says: do not use `cross_entropy`", "", ""]


@pytest.mark.parametrize("kind", ["markdown", "raw", ""])
def test_a_code_cell_that_was_turned_into_text_is_read_as_code(handing, kind):
    notebook = json.loads(nbformat.writes(handing.solved()))
    (cell,) = [c for c in notebook["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == "greedy"]
    cell["cell_type"] = kind
    found = plan(read(json.dumps(notebook).encode()), Assignment("rnn_seq2seq"))
    assert "def greedy" in found.code["test-greedy"]
    assert found.notes == ["the cell greedy was turned into text: it is read as code"]


def test_merge_conflict_marks_inside_a_cell_are_named(handing):
    notebook = handing.solved()
    cell = handing.cell(notebook, "greedy")
    cell.source = f"<<<<<<< HEAD\n{cell.source}\n=======\n>>>>>>> theirs"
    found = plan(read(nbformat.writes(notebook).encode()), Assignment("rnn_seq2seq"))
    assert found.notes == ["the cell greedy has merge-conflict marks: choose one version"]


@pytest.mark.parametrize("change", ["copied before", "deleted", "merged", "reversed"])
def test_a_test_runs_after_all_that_it_needs_wherever_it_stands(handing, change):
    notebook = handing.solved()
    solution, test = (handing.cell(notebook, name) for name in ("greedy", "test-greedy"))
    if change == "copied before":
        notebook.cells.insert(0, test)
    elif change == "reversed":
        notebook.cells.reverse()
    else:
        solution.source += f"\n\n{test.source}" if change == "merged" else ""
        notebook.cells.remove(test)
    steps = plan(read(nbformat.writes(notebook).encode()), Assignment("rnn_seq2seq")).steps
    (place,) = (i for i, step in enumerate(steps) if step.get("task") == "test-greedy")
    before = "\n".join(step.get("code", "") for step in steps[:place])
    assert "def greedy(" in before
    assert "class Scripted" in before


@pytest.mark.parametrize("first", [True, False])
def test_of_two_copies_the_one_that_can_be_read_counts(handing, first):
    notebook = handing.solved()
    cell = handing.cell(notebook, "greedy")
    broken = nbformat.from_dict(
        {**cell, "id": "broken", "source": "# grade id: greedy\ndef greedy(decode, state:\n    pass"}
    )
    notebook.cells.insert(notebook.cells.index(cell) + (not first), broken)
    found = plan(read(nbformat.writes(notebook).encode()), Assignment("rnn_seq2seq"))
    assert found.code["test-greedy"].strip() == cell.source.strip()
    assert found.notes[-1] == "the cell greedy was copied: the first copy that can be read counts"


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("cuts", [(5,), (2, 6), (1, 3, 6)])
def test_parts_of_a_split_cell_belong_together_also_without_an_id(handing, cuts, named):
    notebook, assignment = handing.solved(), Assignment("rnn_seq2seq")
    cell = handing.cell(notebook, "greedy")
    lines = cell.source.splitlines()[not named :]
    parts = [lines[start:end] for start, end in pairwise((0, *cuts, len(lines)))]
    cell.source = "\n".join(parts[0])
    place = notebook.cells.index(cell) + 1
    notebook.cells[place:place] = [nbformat.v4.new_code_cell("\n".join(part)) for part in parts[1:]]
    for other in notebook.cells:
        other.metadata = {}
    found = plan(read(nbformat.writes(notebook).encode()), assignment)
    assert found.code["test-greedy"].strip() == "\n".join(lines)
    assert found.notes == [f"the cell {'greedy' if named else 'of your own'} was split: its parts are read as one"]


def test_cells_that_cannot_be_read_together_either_stay_apart():
    cells = [CELLS[0] | {"source": text} for text in ("x = 1", "what is this?", "def f(:", "y = 2")]
    found = plan(read(json.dumps({"cells": cells}).encode()), Assignment("rnn_seq2seq"))
    assert not any("split" in note for note in found.notes)
    assert found.others.splitlines() == ["x = 1", "what is this?", "def f(:", "y = 2"]


def test_cells_that_were_merged_are_taken_apart_at_their_ids(handing):
    notebook, assignment = handing.solved(), Assignment("rnn_seq2seq")
    expected = plan(read(nbformat.writes(notebook).encode()), assignment)
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    notebook.cells = [nbformat.v4.new_code_cell("x = 1\n" + "\n\n".join(sources[1:]))]
    found = plan(read(nbformat.writes(notebook).encode()), assignment)
    assert (found.code, found.notes) == (expected.code, [])
    assert [step.get("task") for step in found.steps if step["kind"] == "test"] == [t.id for t in assignment.tasks]
    assert found.others.strip() == "x = 1"


def test_cells_of_the_assignment_in_a_merged_cell_break_no_rule():
    """Here a given cell calls what the student's code must not call."""
    assignment = Assignment("inside")
    source = "\n".join(cell.source for cell in assignment.cells if cell.kind in ("given", "solution", "test")[:2])
    source = source.replace("%pip", "#")
    planned = plan(read(json.dumps({"cells": [CELLS[0] | {"source": source}]}).encode()), assignment)
    texts = [*planned.code.values(), planned.others]
    assert [rules.broken_rule(task, texts) for task in assignment.tasks] == [""] * len(assignment.tasks)
    task = next(task for task in assignment.tasks if ("call", "attention") in task.forbidden)
    texts.append(f"def {task.functions[0]}(*x):\n    return attention(*x)")
    assert rules.broken_rule(task, texts)


def test_ids_come_from_the_text_before_the_metadata():
    cells = [
        {"cell_type": "code", "source": "# grade id: greedy\nx = 1", "metadata": {"nbgrader": {"grade_id": "other"}}},
        {"cell_type": "code", "source": "x = 1", "metadata": {"nbgrader": {"grade_id": "other"}}},
        {"cell_type": "markdown", "source": "<!-- grade id: question -->\nYes.", "metadata": {}},
        {"cell_type": "code", "source": "x = 1", "metadata": None},
    ]
    assert [cell.id for cell in read(json.dumps({"cells": cells}).encode())] == ["greedy", "other", "question", None]


@pytest.mark.parametrize(
    ("way", "student"),
    [
        ("ada_rnn_seq2seq.ipynb", "ada"),
        ("lovelaceada_1234_5678_rnn_seq2seq-1.ipynb", "lovelaceada"),
        ("lovelaceada_LATE_1234_5678_my homework.ipynb", "lovelaceada"),
        ("Ada Lovelace_123_assignsubmission_file/rnn_seq2seq.ipynb", "Ada Lovelace"),
        ("ada/rnn_seq2seq.ipynb", "ada"),
        ("ada/rnn_seq2seq/rnn_seq2seq (2).ipynb", "ada"),
        ("ada.ipynb", "ada"),
        ("ada (1).ipynb", "ada"),
        ("李雷_rnn_seq2seq.ipynb", "李雷"),
        ("ada.zip/any name.ipynb", "ada"),
        ("ada_rnn_seq2seq.zip/x/y.ipynb", "ada"),
    ],
)
@pytest.mark.parametrize("archived", [False, True])
def test_whose_file_it_is(tmp_path, way, student, archived):
    """In the folder itself, and in the zip file of all submissions."""
    files = {}
    for name in (way, "ben_rnn_seq2seq.ipynb"):
        if ".zip/" in name:
            outer, inner = name.split("/", 1)
            with zipfile.ZipFile(tmp_path / "inner.zip", "w") as archive:
                archive.writestr(inner, WHOLE)
            files[outer] = (tmp_path / "inner.zip").read_bytes()
        else:
            files[name] = WHOLE
    folder = tmp_path / "in"
    folder.mkdir()
    if archived:
        with zipfile.ZipFile(folder / "all.zip", "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    else:
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
    found = collect(folder, "rnn_seq2seq")
    assert {submission.student for submission in found} == {student, "ben"}
    assert [file.data for submission in found for file in submission.files] == [WHOLE, WHOLE]


GRADED = b'{"cells": ["# grade id: greedy"]}'


@pytest.mark.parametrize(
    ("zips", "students"),
    [
        ({"all": ["ada/a.ipynb", "ben/b.ipynb"]}, {"ada", "ben"}),
        ({"all": ["ada/rnn_seq2seq.ipynb", "ben/x/rnn_seq2seq.ipynb", "ben/notes.txt"]}, {"ada", "ben"}),
        ({"all": ["ada.ipynb", "ben.ipynb", "dora.ipynb"]}, {"ada", "ben", "dora"}),
        ({"A": ["ada/a.ipynb", "ben/a.ipynb"], "B": ["dora/a.ipynb", "eve/a.ipynb"]}, {"ada", "ben", "dora", "eve"}),
        ({"all": ["submissions/ada/a.ipynb", "submissions/ben/a.ipynb"]}, {"ada", "ben"}),
        ({"ada": ["v1/a.ipynb", "v2/a.ipynb"], "ben": ["old/a.ipynb", "new/a.ipynb"]}, {"ada", "ben"}),
        ({"ada": ["first.ipynb", "second.ipynb"]}, {"ada"}),
        ({"ada": ["plots/p.ipynb", "a.ipynb"]}, {"ada"}),
    ],
)
def test_the_zip_of_a_class_beside_the_file_of_one_student(tmp_path, zips, students):
    (tmp_path / "carl.ipynb").write_bytes(GRADED)
    for name, files in zips.items():
        (tmp_path / f"{name}.zip").write_bytes(zipped(dict.fromkeys(files, GRADED)))
    assert {submission.student for submission in collect(tmp_path, "rnn_seq2seq")} == students | {"carl"}


def test_links_are_not_followed(tmp_path):
    (tmp_path / "secret.ipynb").write_bytes(WHOLE)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ada.ipynb").symlink_to(tmp_path / "secret.ipynb")
    (tmp_path / "in" / "ben").symlink_to(tmp_path)
    files = [file for submission in collect(tmp_path / "in", "rnn_seq2seq") for file in submission.files]
    assert [file.data for file in files] == [b"", b""]
    assert all("is a link" in file.problem for file in files)


def zipped(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def test_a_bomb_of_zip_files_is_read_up_to_a_limit(monkeypatch):
    monkeypatch.setattr(intake, "TOGETHER", 20 << 20)
    monkeypatch.setattr(intake, "INSIDE", 5 << 20)
    inner = zipped({f"{i}.ipynb": b'{"cells"' + b"\0" * (1 << 20) for i in range(9)})
    found = files_in_zip(PurePosixPath("a.zip"), zipped({f"{i}.zip": inner for i in range(9)} | {"b.ipynb": WHOLE}))
    assert sum(len(file.data) for file in found) < 20 << 20
    assert sum("too large" in file.problem for file in found) > 50
    assert [file.data for file in found if file.way.name == "b.ipynb"] == [WHOLE]  # of another student


def test_a_zip_file_with_the_name_of_a_notebook(tmp_path):
    (tmp_path / "ada_rnn_seq2seq.ipynb").write_bytes(zipped({"any.ipynb": WHOLE}))
    (ada,) = collect(tmp_path, "rnn_seq2seq")
    assert (ada.student, [file.data for file in ada.files]) == ("ada", [WHOLE])


def test_of_a_zip_with_very_many_files_some_are_read_and_few_are_named(monkeypatch):
    monkeypatch.setattr(intake, "MANY", 500)
    data = zipped({"a.ipynb": WHOLE} | {f"d/{i}.txt": b"x" for i in range(600)})
    found = files_in_zip(PurePosixPath("a_rnn_seq2seq.zip"), data)
    assert len(found) == 501
    _, notes = grading.choose(intake.Submission("a", found), Assignment("rnn_seq2seq"))
    assert "a_rnn_seq2seq.zip has 601 files: only 500 are read" in notes
    assert "494 more files are no notebooks" in notes
    assert len(notes) < 12


def test_outputs_do_not_make_a_notebook_too_large(monkeypatch):
    monkeypatch.setattr(intake, "LARGEST", 100_000)
    outputs = [
        {"output_type": "display_data", "data": {"image/png": "A" * 200_000, "text/plain": ["<Figure>"]}},
        {"output_type": "stream", "name": "stdout", "text": ['a "line"\n'] * 20_000},
    ]
    source = '# grade id: greedy\nx = \'{"text": "kept"}\''
    data = json.dumps({"cells": [CELLS[0] | {"source": source, "outputs": outputs}]}, indent=1).encode()
    (cell,) = read(file_of(PurePosixPath("a.ipynb"), data).data)
    assert (cell.id, cell.source) == ("greedy", source)
    data = json.dumps({"cells": [CELLS[0] | {"source": "#" * 200_000}]}).encode()
    assert "clear its outputs" in file_of(PurePosixPath("a.ipynb"), data).problem


def test_names_of_other_systems(tmp_path):
    """Finder writes UTF-8 into zip files without saying so, and both parts of an é; Linux takes any byte."""
    data = zipped({"xxx/a.ipynb": WHOLE, "yyyy/b.ipynb": WHOLE})
    data = data.replace(b"xxx", "né".encode()).replace(b"yyyy", unicodedata.normalize("NFD", "né").encode())
    for folder, name in (("zipped", "all.zip"), ("loose", os.fsdecode(b"ana\xefs_rnn_seq2seq.ipynb"))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(data if folder == "zipped" else WHOLE)
    os.mkfifo(tmp_path / "loose" / "pipe.ipynb")
    (both,) = collect(tmp_path / "zipped", "rnn_seq2seq")
    assert (both.student, len(both.files)) == ("né", 2)
    found = {submission.student: submission.files for submission in collect(tmp_path / "loose", "rnn_seq2seq")}
    assert found.keys() == {r"ana\xefs", "pipe"}
    assert "no plain file" in found["pipe"][0].problem
    for student in (*found, "ab" * 300, "学" * 200):
        assert len(f".{grading.safe(student)}.json.part".encode()) <= 255
    assert grading.safe("a" * 300) != grading.safe("a" * 301)


def test_one_file_that_cannot_be_graded_stops_nobody(tmp_path, handing, monkeypatch):
    """A fault of the grading itself, that nobody has thought of."""
    for student in "ab":
        handing.write(tmp_path / "in", student, handing.solved())
    chosen = []

    def choose(submission, assignment):
        chosen.append(submission.student)
        if submission.student == "a":
            raise MemoryError("out of memory")
        return None, ["seen"]

    monkeypatch.setattr(grading, "choose", choose)
    log = []
    results = grading.grade_folder("rnn_seq2seq", tmp_path / "in", tmp_path / "out", log=log.append)
    assert chosen == ["a", "b"]
    assert log[0].startswith("a: not graded: grading itself failed (MemoryError: out of memory)")
    assert [result["notes"] for result in results][1] == ["seen"]


def test_an_empty_or_missing_folder_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="holds no files"):
        collect(tmp_path, "rnn_seq2seq")
    with pytest.raises(ValueError, match="is no folder"):
        collect(tmp_path / "none", "rnn_seq2seq")
    with pytest.raises(ValueError, match="choose one of attention"):
        Assignment("none")


@pytest.mark.parametrize("name", NAMES)
def test_every_assignment_has_tasks_with_checks_of_both_kinds(name):
    assignment = Assignment(name)
    assert len(assignment.tasks) >= 3
    assert assignment.written is not None
    for task in assignment.tasks:
        rewriter = Rewriter(task.title)
        compile(rewriter.rewrite(task.visible, hidden=False), "visible", "exec")
        visible = len(rewriter.checks)
        compile(rewriter.rewrite(task.hidden, hidden=True), "hidden", "exec")
        assert 0 < visible < len(rewriter.checks), task.id
        assert all(check.name.strip("…: ,") for check in rewriter.checks)
        assert rules.broken_rule(task, [task.solution.source]) == ""


def run(source: str, **names) -> dict[int, str]:
    """The messages of the checks that fail, by number."""

    class Checks:
        def __init__(self):
            self.found, self.gone = {}, {}

        def guard(self):
            pass

        def passed(self, number):
            self.found.setdefault(number, "")

        def failed(self, number, error):
            self.found[number] = str(error)

        def broke(self, number, error, targets):
            self.found[number] = str(error)
            for name in targets:
                names.pop(name, None)

    names["__checks__"] = checks = Checks()
    exec(Rewriter("task").rewrite(source, hidden=False), names)
    return {number: message for number, message in checks.found.items() if message}


def test_every_check_runs_and_none_passes_on_old_values():
    source = """
x = f(1)
assert x == 1, "one"
assert x == 2, "two"
x = f(0)
assert x == 1, "three"
for i in range(3):
    y = f(i)
    assert y == 1, f"four: {i}"
    assert i < 2, "five"
"""

    def f(i):
        return 1 if i else 1 / 0

    failed = run(source, f=f)
    assert failed.keys() == {1, 2, 3, 4}
    assert failed[1] == "two"
    assert "'x' is not defined" in failed[2]


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("every token has the same weight: expected …, got …", "every token has the same weight"),
        ("prefix 2, window 2: expected …", "prefix 2, window 2"),
        ("logits at padding must not matter", "logits at padding must not matter"),
        ("…: expected …, got …", "…: expected …, got …"),
    ],
)
def test_checks_are_named_after_what_they_test(message, name):
    assert short_name(message) == name


def test_what_a_task_forbids():
    assert forbidden("Do not use `nn.GRU` or `nn.GRUCell`.") == [("use", "GRU"), ("use", "GRUCell")]
    assert forbidden("- Do not call `model` itself or the\n  library's `generation`.") == [
        ("call", "model"),
        ("use", "generation"),
    ]
    assert forbidden("Do not use a loop: the test counts.") == []


@pytest.mark.parametrize(
    ("code", "broken"),
    [
        ("def nats_per_token(a, b):\n    return nn.functional.cross_entropy(a, b)", True),
        ("def nats_per_token(a, b):\n    return getattr(nn.functional, 'nll_loss')(a, b)", True),
        ("from torch.nn.functional import cross_entropy as f\ndef nats_per_token(a, b):\n    return f(a, b)", True),
        ("def h(a, b):\n    return F.nll_loss(a, b)\ndef nats_per_token(a, b):\n    return h(a, b)", True),
        ("def nats_per_token(a, b):\n    return a\nprint(nn.functional.cross_entropy(a, b))", False),
        ("def nats_per_token(a, b):\n    'not cross_entropy, that would be too easy'\n    return a", False),
    ],
)
def test_a_broken_rule_is_seen_through_names(code, broken):
    (task,) = (task for task in Assignment("rnn_seq2seq").tasks if task.id == "test-nats-per-token")
    assert bool(rules.broken_rule(task, [code])) == broken


def test_only_code_that_is_nearly_the_same_is_named():
    assignment = Assignment("rnn_seq2seq")
    code = "\n".join(task.solution.source for task in assignment.tasks)
    other = "\n".join(task.solution.source for task in Assignment("attention").tasks)
    renamed = "# mine\n" + code.replace("width", "w").replace("ended", "done")
    assert [pair[:2] for pair in similar.pairs({"a": code, "b": renamed, "c": other})] == [("a", "b")]


@pytest.mark.parametrize("name", NAMES)
def test_the_source_itself_is_a_submission(name):
    assignment = Assignment(name)
    cells = read((EXERCISES / name / f"{name}.ipynb").read_bytes())
    planned = plan(cells, assignment)
    assert planned.notes == []
    assert [s["task"] for s in planned.steps if s["kind"] == "test"] == [task.id for task in assignment.tasks]
    assert planned.answer


def test_a_deleted_cell_comes_back(handing):
    notebook = handing.solved()
    for name in ("scripted", "test-greedy", "imports"):
        notebook.cells.remove(handing.cell(notebook, name))
    assignment = Assignment("rnn_seq2seq")
    steps = plan(read(nbformat.writes(notebook).encode()), assignment).steps
    kinds = [(step["kind"], step.get("task")) for step in steps]
    assert kinds.count(("given", None)) == 3
    assert kinds.index(("test", "test-greedy")) > max(i for i, kind in enumerate(kinds) if kind[0] == "given")


def test_an_answer_is_found_with_and_without_its_id(handing):
    assignment = Assignment("rnn_seq2seq")
    notebook = handing.solved()
    assert plan(read(nbformat.writes(notebook).encode()), assignment).answer == ""
    answer = handing.cell(notebook, "question")
    for source in ("<!-- grade id: question -->\nBecause.", "Because."):
        answer.source, answer.metadata = source, {}
        assert plan(read(nbformat.writes(notebook).encode()), assignment).answer == "Because."
