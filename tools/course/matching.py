"""From a submission to what is run: the given cells as they were given, the student's cells, and the tests."""

import ast
import re
from dataclasses import dataclass, field
from functools import cache
from itertools import takewhile

from IPython.core.inputtransformer2 import TransformerManager

from course.assignment import PLACEHOLDER, Assignment, defined
from course.notebook import CONFLICT, MARK, Handed

NOTHING_WRITTEN = ("", "YOUR ANSWER HERE")
LONGEST, MAGICS = 100_000, 50  # characters and magics of a cell: for more, IPython and Python's parser take minutes
PARTS = 3  # that follow the first part of a split cell
MAGIC = re.compile(r"^\s*[!%?]|=\s*[!%]|\?\s*$", re.MULTILINE)
RUNS = re.compile(r"\s*%%(time|timeit|capture|prun)\b.*\n")  # the magics whose cell is code like any other


@dataclass
class Plan:
    """What the sandbox runs for one submission, and what a person should know."""

    steps: list[dict]
    code: dict[str, str]  # of each task: the student's solution cells
    others: str  # all of the student's other code
    answer: str
    notes: list[str] = field(default_factory=list)
    named: int = 0  # how many cells still had their id


@cache
def python(source: str) -> str:
    """A cell as Python alone: `%pip install` becomes a call that does nothing here."""
    source = RUNS.sub("", source, count=1) if RUNS.match(source) else source
    if len(source) > LONGEST or len(MAGIC.findall(source)) > MAGICS:
        return source
    try:
        return TransformerManager().transform_cell(source)
    except Exception:
        return source


@cache
def meaning(source: str) -> str | None:
    """The code of a cell without comments and blanks; None if it can't be read, or is nested too deeply."""
    if len(source) > LONGEST:
        return None
    try:
        return ast.dump(ast.parse(python(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def parses(source: str) -> bool:
    return meaning(source) is not None


@cache
def compiles(source: str) -> bool:
    """Unlike `parses`, this notices a `return` without its function: IPython takes the indentation of a whole cell away."""
    try:
        return parses(source) and bool(compile(python(source), "", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, True))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


@cache
def names_of(source: str) -> list[str]:
    return defined(python(source)) if parses(source) else []


def same(one: str, other: str) -> bool:
    """Whether two pieces of code differ in nothing but comments and blanks."""
    if parses(one) and parses(other):
        return meaning(one) == meaning(other)
    return one.split() == other.split()


def join_parts(cells: list[Handed], notes: list[str]) -> list[Handed]:
    """Cells that only together can be read are one cell that was split; its later parts have no id."""
    joined, cells = [], list(cells)
    while cells:
        first = cells[0]
        later = takewhile(lambda cell: cell.type == "code" and cell.id is None, cells[1 : 1 + PARTS])
        parts = [first, *later] if first.type == "code" else [first]
        for end in range(2, len(parts) + 1):
            whole = "\n".join(part.source for part in parts[:end])
            if compiles(whole) and not all(compiles(part.source) for part in parts[:end]):
                notes.append(f"the cell {first.id or 'of your own'} was split: its parts are read as one")
                first.source, cells[1:end] = whole, []  # and once more, with the part after these
                break
        else:
            joined.append(cells.pop(0))
    notes[:] = dict.fromkeys(notes)
    return joined


def choose_copies(cells: list[Handed], ids: set[str], notes: list[str]) -> list[Handed]:
    """Of a copied cell the first counts (the first that has code, if it is a solution); parts of a split one stay."""
    kept: list[Handed] = []
    whole: dict[str, str] = {}  # of each cell, the first copy that can be read
    for cell in cells:
        if cell.id in ids and names_of(cell.source):
            whole.setdefault(cell.id, cell.source)
        first = next((k for k in kept if k.id == cell.id), None) if cell.id in ids else None
        if first is None:
            kept.append(cell)
        elif not parses(cell.source) or (not parses(first.source) and parses(f"{first.source}\n{cell.source}")):
            notes.append(f"the cell {cell.id} was split: its parts are read as one")
            first.source += "\n" + cell.source
        elif set(names_of(cell.source)) & set(names_of(first.source)) or same(cell.source, first.source):
            if PLACEHOLDER in first.source and PLACEHOLDER not in cell.source:
                first.source = cell.source
                notes.append(f"the cell {cell.id} was copied: the first copy that has code counts")
            else:
                notes.append(f"the cell {cell.id} was copied: the first copy counts")
        else:
            notes.append(f"the cell {cell.id} was split: its parts are read as one")
            first.source += "\n" + cell.source
    for cell in kept:
        if cell.id in whole and not parses(cell.source):
            cell.source = whole[cell.id]
            notes.append(f"the cell {cell.id} was copied: the first copy that can be read counts")
    return kept


def recognise(cells: list[Handed], assignment: Assignment) -> int:
    """Give cells without an id the id of the source's cell that they are; returns how many still had theirs."""
    named = sum(cell.id is not None for cell in cells)
    taken = {cell.id for cell in cells}
    for source in assignment.cells:
        if source.id in taken or source.kind not in ("given", "solution", "test"):
            continue
        for cell in cells:
            if cell.type != "code" or cell.id is not None:
                continue
            if source.kind == "solution":
                found = set(defined(source.source)) & set(names_of(cell.source))
            else:
                given = next((t.visible for t in assignment.tasks if t.id == source.id), source.source)
                found = same(cell.source, given)
            if found:
                cell.id = source.id
                if source.kind != "solution":
                    break
    return named


def answer_of(cells: list[Handed], assignment: Assignment) -> str:
    """The written answer: the cell with its id, or what stands below the question."""
    if assignment.written is None:
        return ""
    found = [cell.source for cell in cells if cell.id == assignment.written.id]
    if not found:
        heading = assignment.written_heading
        places = [i for i, c in enumerate(cells) if c.type != "code" and heading in c.source]
        found = [cell.source for cell in cells[places[0] + 1 :] if cell.type != "code"] if places else []
    lines = "\n\n".join(found[:1] if len(set(found)) == 1 else found).splitlines()
    text = "\n".join(line for line in lines if not MARK.match(line)).strip()
    return "" if text in NOTHING_WRITTEN else text


def without_given(source: str, assignment: Assignment) -> str:
    """What the student has written of a cell into which cells of the assignment were merged."""
    if not parses(source):
        return source
    given = {
        ast.dump(node)
        for cell in assignment.cells if cell.kind in ("given", "test")
        for node in ast.parse(python(cell.source)).body
    }  # fmt: skip
    nodes = ast.parse(python(source)).body
    own = [node for node in nodes if ast.dump(node) not in given]
    return source if len(own) == len(nodes) else "\n".join(map(ast.unparse, own))


def plan(cells: list[Handed], assignment: Assignment) -> Plan:
    """Put the given cells and the tests where the source has them, around the student's own."""
    notes: list[str] = []
    cells = join_parts(cells, notes)
    named = recognise(cells, assignment)
    kinds = {cell.id: cell for cell in assignment.cells}
    answer = answer_of(cells, assignment)
    ids = {cell.id for cell in assignment.cells if cell.kind in ("given", "solution", "test")}
    for cell in cells:
        if cell.id in ids and cell.type != "code" and parses(cell.source):
            cell.type = "code"
            notes.append(f"the cell {cell.id} was turned into text: it is read as code")
        elif cell.type == "code" and CONFLICT.search(cell.source) and not parses(cell.source):
            name = cell.id or "of your own"
            notes.append(f"the cell {name} has merge-conflict marks: choose one version")
    handed = choose_copies([cell for cell in cells if cell.type == "code"], ids, notes)
    if not named:
        notes.append("the file has lost the ids of its cells: they were recognised by the functions they define")
    present = {cell.id for cell in handed}
    functions = [name for task in assignment.tasks for name in task.functions]
    order = [cell for cell in assignment.cells if cell.kind in ("given", "solution", "test")]
    steps, done, code, others = [], set(), {task.id: "" for task in assignment.tasks}, []
    waiting: list[str] = []

    def put(cell_id: str) -> None:
        """A given cell or a test, once, after all that the source has before it and the student has deleted."""
        if cell_id in done:
            return
        for before in order[: [cell.id for cell in order].index(cell_id)]:
            if before.id not in present and before.kind == "given":
                put(before.id)
        done.add(cell_id)
        if kinds[cell_id].kind == "given":
            number, source = len(steps) + 1, python(kinds[cell_id].source)
            steps.append({"kind": "given", "number": number, "code": source, "names": functions})
        else:
            steps.append({"kind": "test", "task": cell_id, "names": functions})

    def put_tests() -> None:
        """Those that wait, once everything has run that the source has before them: a student may have moved cells."""
        for test in list(waiting):
            before = order[: [cell.id for cell in order].index(test)]
            if all(cell.id in done or cell.id not in present for cell in before if cell.kind != "test"):
                waiting.remove(test)
                put(test)

    def own(source: str) -> None:
        steps.append({"kind": "own", "number": len(steps) + 1, "code": python(source)})

    for cell in order:  # the setup and the imports come first, whatever was moved
        if cell.kind != "given":
            break
        put(cell.id)
    last = {task.solution.id: task.id for task in assignment.tasks}
    for cell in handed:
        kind = kinds[cell.id].kind if cell.id in ids else "own"
        if kind == "given":
            put(cell.id)
            if cell.id != "setup" and not same(cell.source, kinds[cell.id].source):
                own(cell.source)
        elif kind == "test":
            waiting.append(cell.id)
        else:
            own(cell.source)
            if kind == "solution":
                task = last[cell.id]
                code[task] += without_given(cell.source, assignment) + "\n"
                done.add(cell.id)
                if task not in present:
                    waiting.append(task)
            else:
                others.append(without_given(cell.source, assignment))
        put_tests()
    for cell in order:
        if cell.kind in ("given", "test"):
            put(cell.id)
    while steps and steps[-1]["kind"] != "test":  # what comes after the last test takes time and no points
        steps.pop()
    return Plan(steps, code, "\n".join(others), answer, notes, named)
