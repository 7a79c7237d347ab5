"""Do the tests notice wrong solutions? Each model solution is changed in every way that cosmic-ray knows, and graded.

`make exercises` prints how many of the wrong solutions lose points, and keeps the table, with each that loses none, in
proof.csv. An assignment that has not changed since is not run again.
"""

import csv
import hashlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from course.assignment import EXERCISES, Assignment, Task
from course.grading import Grader, keep, source_cells
from course.matching import plan
from mutation import mutants

TABLE = Path(__file__).with_name("proof.csv")
SHOWN = Path(__file__).with_name("caught.csv")
COLUMNS = [
    "assignment",
    "task",
    "mutants",
    "caught",
    "cheats",
    "cheats_caught",
    "model",
    "empty",
    "survivors",
    "source",
]
LIMIT = 10.0  # seconds; a mutant that doesn't end is caught
NOTHING = "def {name}(*arguments, **keywords):\n    return {value}\n"


def cheats(task: Task) -> Iterator[tuple[str, str]]:
    """Solutions that do nothing and try to get points in another way, for any task."""
    for name in task.functions[:1]:
        nothing = NOTHING.format(name=name, value="None")
        yield "returns nothing", nothing
        patch = "import torch\ntorch.testing.assert_close = torch.equal = torch.allclose = lambda *_, **__: True\n"
        yield "replaces torch's comparisons", patch + nothing
        yield (
            "replaces AssertionError and all",
            "import builtins\nbuiltins.AssertionError = builtins.all = print\n" + nothing,
        )
        same = "class Same(list):\n    def __eq__(self, other):\n        return True\n    __ne__ = None\n"
        yield "returns what equals everything", same + NOTHING.format(name=name, value="Same()")
        for verb, forbidden in task.forbidden:
            body = f"{forbidden}\n" if verb == "use" else f"{forbidden}()\n"
            yield f"{verb}s {forbidden}", f"{task.solution.source}\n    if arguments:\n        {body}"


def loses(grader: Grader, task: Task, code: str) -> bool:
    """Whether this code, instead of the model solution, gets less than all points of its task."""
    cells = source_cells(grader.assignment, solved=True)
    next(cell for cell in cells if cell.id == task.solution.id).source = code
    planned = plan(cells, grader.assignment)
    steps = [step for step in planned.steps if step.get("task", task.id) == task.id]
    outcome = grader.session.run(steps)
    return grader.task(task, outcome, list(planned.code.values()))["points"] < task.points


def prove(assignment: Assignment, done: set[str]) -> Iterator[dict]:
    """One row per task that is not done. Raises Broken if the model solution doesn't get all points."""
    tasks = {task.id.removeprefix("test-"): task for task in assignment.tasks}
    if tasks.keys() <= done:
        return
    with Grader(assignment, LIMIT) as grader:
        empty = {task["id"]: task for task in grader.grade(source_cells(assignment, solved=False))["tasks"]}
        for name, task in tasks.items():
            if name in done:
                continue
            # the numbers in a student's own test are examples, and others are as good
            numbers = not all(function.startswith("check_") for function in task.functions)
            wrong = mutants(task.solution.source, numbers=numbers)
            found = [(text, loses(grader, task, code)) for text, code in wrong]
            tricks = [(text, loses(grader, task, code)) for text, code in cheats(task)]
            yield {
                "assignment": assignment.name,
                "task": name,
                "mutants": len(found),
                "caught": sum(caught for _, caught in found),
                "cheats": len(tricks),
                "cheats_caught": sum(caught for _, caught in tricks),
                "model": f"{task.points:g}",
                "empty": f"{empty[task.id]['points']:g}",
                "survivors": " ;; ".join(text for text, caught in found + tricks if not caught),
                "source": fingerprint(assignment),
            }


def line(row: dict) -> str:
    share = f"{row['caught']} of {row['mutants']} mutants, {row['cheats_caught']} of {row['cheats']} cheats caught"
    return f"{row['assignment']}, {row['task']}: {share}" + (f"; not: {row['survivors']}" if row["survivors"] else "")


def fingerprint(assignment: Assignment) -> str:
    """Changes with the assignment, but not with its set-up cell, which has the address of the repository."""
    cells = [(cell.id, cell.kind, cell.source, cell.points) for cell in assignment.cells if cell.id != "setup"]
    return hashlib.sha256(repr(cells).encode()).hexdigest()[:12]


def known() -> list[dict]:
    return list(csv.DictReader(TABLE.open(encoding="utf-8", newline=""))) if TABLE.exists() else []


def store(rows: list[dict]) -> None:
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    keep(TABLE, out.getvalue())
    lines = ["assignment,task,mutants,caught,cheats,caught"]  # for the instructors' page
    lines += [
        ",".join(row[column] for column in COLUMNS[:6]) for row in ({k: str(v) for k, v in r.items()} for r in rows)
    ]
    keep(SHOWN, "\n".join(lines) + "\n")


def main(arguments: list[str]) -> int:
    names = [a for a in arguments if a] or sorted(path.stem for path in EXERCISES.glob("*/*.ipynb"))
    for name in names:
        assignment = Assignment(name)
        rows = [row for row in known() if row["assignment"] != name or row["source"] == fingerprint(assignment)]
        done = {row["task"]: row for row in rows if row["assignment"] == name}
        for row in done.values():
            print(line(row))
        for row in prove(assignment, set(done)):  # a run that is ended goes on here
            print(line(row), flush=True)
            rows.append(row)
            store(sorted(rows, key=lambda row: row["assignment"]))
    rows = [row for row in known() if row["assignment"] in names]
    caught, of = (sum(int(row[column]) for row in rows) for column in ("caught", "mutants"))
    print(f"{caught} of {of} wrong solutions caught ({100 * caught / max(of, 1):.1f} %), see {TABLE}", file=sys.stderr)
    return 0
