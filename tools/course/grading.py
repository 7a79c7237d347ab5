"""Grade a folder of submissions. What is done is kept in OUT/results, so a grading that was ended goes on there."""

import hashlib
import json
import math
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from course import rules
from course.assignment import Assignment
from course.intake import Submission, collect, looks_like_notebook
from course.matching import plan
from course.notebook import Handed, Unreadable, read
from course.session import LIMIT, Broken, Outcome, Session

STEP = 4  # points are rounded down to a quarter
JOBS = 2
SHOWN, LONGEST = 5, 50  # files that are named; characters of a student's name in the name of a file


def version() -> str:
    """Changes with every change of the grading itself."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def source_cells(assignment: Assignment, solved: bool) -> list[Handed]:
    """The assignment as its author would hand it in, or as students get it."""
    cells = []
    for cell in assignment.cells:
        source = assignment.without_solution(cell) if cell.kind == "solution" and not solved else cell.source
        cells.append(Handed("markdown" if cell.kind in ("text", "written") else "code", source, cell.id))
    return cells


class Grader:
    """Grades submissions of one assignment in one sandbox. Use it as a context."""

    def __init__(self, assignment: Assignment, limit: float = LIMIT):
        self.assignment, self.limit = assignment, limit

    def __enter__(self):
        self.session = Session(self.assignment, self.limit).__enter__()
        self.calibrate()
        return self

    def __exit__(self, *_):
        self.session.close()

    def calibrate(self) -> None:
        """A check counts if the model solution passes it and the empty notebook doesn't."""
        full, empty = (
            self.session.run(plan(source_cells(self.assignment, solved), self.assignment).steps)
            for solved in (True, False)
        )
        self.counted = {}
        for task in self.assignment.tasks:
            good, bad = full.results.get(task.id, {}), empty.results.get(task.id, {})
            failed = [f"{message}" for passed, message in good.values() if not passed]
            if task.id in full.stopped or failed or not good:
                why = full.stopped.get(task.id) or "; ".join(failed) or "no check ran"
                raise Broken(f"{self.assignment.name}, {task.id}: the model solution doesn't pass here: {why}")
            self.counted[task.id] = [number for number in sorted(good) if not bad.get(number, (False, ""))[0]]

    def grade(self, cells: list[Handed]) -> dict:
        """The result of one submission, as plain values."""
        planned = plan(cells, self.assignment)
        try:
            outcome = self.session.run(planned.steps)
        except Broken:  # whatever the code did: a new sandbox, and a result that says so
            self.session.close()
            self.session = Session(self.assignment, self.limit).__enter__()
            outcome = Outcome(stopped={t.id: "the code ended the grading process" for t in self.assignment.tasks})
        sources = [*planned.code.values(), planned.others]
        tasks = [self.task(task, outcome, sources) for task in self.assignment.tasks]
        look = []
        if not planned.named:
            look.append("the file has lost the ids of its cells")
        look += [f"{task['title']}: {task['rule']}" for task in tasks if task["rule"]]
        look += [f"{task['title']}: {task['stopped']}" for task in tasks if task["stopped"]]
        look += [f"the code {what}" for what in rules.strange("\n".join(sources))]
        look += [f"the code {what}" for source in sources for what in rules.strange(source)]
        if outcome.changed:
            look.append(f"the code replaced {', '.join(sorted(outcome.changed)[:5])}; it was put back before the tests")
        if outcome.forged:
            look.append("the code wrote into the channel of the results")
        return {
            "points": sum(task["points"] for task in tasks),
            "tasks": tasks,
            "answer": planned.answer,
            "notes": planned.notes,
            "errors": outcome.errors,
            "look": list(dict.fromkeys(look)),
            "code": "\n".join(planned.code.values()),
        }

    def task(self, task, outcome: Outcome, sources: list[str]) -> dict:
        found, checks, counted = outcome.results.get(task.id, {}), self.session.checks[task.id], self.counted[task.id]
        stopped, rule = outcome.stopped.get(task.id, ""), rules.broken_rule(task, sources)
        rows = []
        for number in counted:
            passed, message = found.get(number, (False, stopped or "not reached"))
            rows.append(
                {"name": checks[number].name, "hidden": checks[number].hidden, "passed": passed, "message": message}
            )
        hidden = [row["passed"] for row in rows if row["hidden"]]
        share = sum(row["passed"] for row in rows) / len(rows)
        if rule or (hidden and not any(hidden)):
            share = 0.0
        points = math.floor(task.points * share * STEP + 1e-9) / STEP
        why = (
            "only the examples of the notebook pass, and no other input"
            if not rule and not share and any(row["passed"] for row in rows)
            else ""
        )
        return {
            "id": task.id, "title": task.title, "of": task.points, "points": points,
            "checks": rows, "stopped": stopped, "rule": rule, "why": why,
        }  # fmt: skip


def choose(submission: Submission, assignment: Assignment) -> tuple[list[Handed] | None, list[str]]:
    """Of a student's files, the notebook that has most of the assignment's cells, and notes about the others."""
    ids, best, notes, others = {cell.id for cell in assignment.cells}, None, [], []
    functions = [name for task in assignment.tasks for name in task.functions]
    for file in submission.files:
        if file.problem:
            notes.append(file.problem)
            continue
        if not looks_like_notebook(file.way.name, file.data):
            others.append(file.way.name)
            continue
        try:
            cells = read(file.data)
        except Unreadable as error:
            notes.append(f"{file.way.name}: {error}")
            continue
        text = "\n".join(cell.source for cell in cells)
        score = sum(cell.id in ids for cell in cells) + sum(f"def {name}" in text for name in functions)
        if best is not None:
            notes.append(f"{file.way.name} and {best[1]} were handed in; the later one that fits is graded")
        if best is None or score >= best[0]:
            best = score, file.way.name, cells
    notes += [f"{name} is no notebook" for name in others[:SHOWN]]
    notes += [f"{len(others) - SHOWN} more files are no notebooks"] if len(others) > SHOWN else []
    if best is not None and best[0] == 0:
        notes.append(f"{best[1]} is another notebook: it has no cell of {assignment.name}")
        return None, notes
    return (best[2] if best else None), notes


def key_of(submission: Submission, assignment: Assignment, limit: float) -> str:
    """Changes with whatever may change the result."""
    parts = [version(), assignment.text, str(limit), submission.student]
    parts += [f"{file.way} {file.problem} {hashlib.sha256(file.data).hexdigest()}" for file in submission.files]
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()


def safe(student: str) -> str:
    """A file name for a student, different for different students."""
    name = re.sub(r"[^\w.-]+", "_", student).strip("._")[:LONGEST] or "student"
    return name if name == student else f"{name}-{hashlib.sha256(student.encode(errors='replace')).hexdigest()[:6]}"


def failed(error: Exception) -> str:
    return f"grading itself failed ({type(error).__name__}: {error}): read this one by hand"


def keep(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, "utf-8", errors="backslashreplace")
    os.replace(part, path)


def known(path: Path, key: str) -> dict | None:
    """The result of an earlier run, if it is that of this submission."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("key") == key else None


def grade_folder(name: str, source: Path, out: Path, limit: float = LIMIT, jobs: int = JOBS, log=print) -> list[dict]:
    """Grade everything in a folder; returns the results by student."""
    if out.resolve().is_relative_to(source.resolve()):
        raise ValueError(f"{out} lies inside {source}: give a folder for the results outside of what was handed in")
    assignment, submissions = Assignment(name), collect(source, name)
    results, todo = {}, []

    def leave(student: str, key: str, path: Path, notes: list[str]) -> None:
        reason = "; ".join(notes)
        log(f"{student}: not graded: {reason}")
        results[student] = {
            "student": student, "key": key, "points": 0, "tasks": [], "answer": "", "notes": notes,
            "errors": [], "look": [f"not graded: {reason}"], "code": "", "missing": [],
        }  # fmt: skip
        keep(path, json.dumps(results[student], indent=1))

    for submission in submissions:
        key, path = key_of(submission, assignment, limit), out / "results" / f"{safe(submission.student)}.json"
        if found := known(path, key):
            results[submission.student] = found
            continue
        try:
            cells, notes = choose(submission, assignment)
        except Exception as error:  # of a file that nobody has thought of
            cells, notes = None, [failed(error)]
        if cells is None:
            leave(submission.student, key, path, notes)
        else:
            todo.append((submission, key, path, cells, notes))
    if results and todo:
        log(f"{len(results)} of {len(submissions)} were done before")

    def work(part: list) -> None:
        if not part:
            return
        with Grader(assignment, limit) as grader:
            if part is parts[0]:
                for text in grader.session.missing:
                    log(f"WARNING: missing here: {text}")
            for submission, key, path, cells, notes in part:
                try:
                    result = {"student": submission.student, "key": key} | grader.grade(cells)
                except Broken:
                    raise
                except Exception as error:  # the others are graded all the same
                    leave(submission.student, key, path, [*notes, failed(error)])
                    continue
                result["notes"] = notes + result["notes"]
                result["look"] = [n for n in notes if "link" in n or "leads out" in n or "handed in" in n] + result[
                    "look"
                ]
                result["missing"] = grader.session.missing
                keep(path, json.dumps(result, indent=1))
                results[submission.student] = result
                log(f"{submission.student}: {result['points']:g} of {assignment.points:g}")

    parts = [todo[start::jobs] for start in range(jobs)]
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(work, parts))
    return [results[student] for student in sorted(results)]


def main(arguments: list[str]) -> int:
    from course import reports

    if len(arguments) < 3:
        print("grade: use make grade A=assignment IN=folder OUT=folder", file=sys.stderr)
        return 2
    name, source, out = arguments[0], Path(arguments[1]), Path(arguments[2])
    try:
        limit = float(arguments[3]) if len(arguments) > 3 else LIMIT
        results = grade_folder(name, source, out, limit)
        reports.write(Assignment(name), results, out)
    except (ValueError, OSError, Broken) as error:
        print(f"grade: {error}", file=sys.stderr)
        return 2
    print(f"{len(results)} students: {out / 'grades.csv'}, {out / 'teacher.html'}, {out / 'feedback'}")
    return 0
