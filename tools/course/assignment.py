"""An assignment as its source notebook has it: what is given, what students write, and the tests with their points."""

import ast
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[2]
EXERCISES = ROOT / "book" / "exercises"
SOLUTION = re.compile(r"^( *)### BEGIN SOLUTION\n.*?### END SOLUTION", re.DOTALL | re.MULTILINE)
HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS\n(.*?)### END HIDDEN TESTS", re.DOTALL)
PLACEHOLDER = "# YOUR CODE HERE"


@dataclass
class Cell:
    """A cell of the source; `kind` is given, solution, test, written or text."""

    id: str
    kind: str
    source: str
    points: float = 0


@dataclass
class Task:
    """What one test cell grades."""

    id: str
    title: str
    points: float
    visible: str
    hidden: str
    functions: list[str]
    solution: Cell
    forbidden: list[tuple[str, str]] = field(default_factory=list)


def kind_of(cell: nbformat.NotebookNode) -> str:
    options = cell.metadata.get("nbgrader")
    if options is None:
        return "text" if cell.cell_type == "markdown" else "given"
    if cell.cell_type == "markdown":
        return "written" if options.grade else "text"
    return "test" if options.grade else "solution" if options.solution else "given"


def defined(source: str) -> list[str]:
    """The functions and classes that a piece of code defines at its top, and the names it assigns there."""
    names = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return names


def forbidden(text: str) -> list[tuple[str, str]]:
    """What a task says must not be used: ("use", "nll_loss"), or ("call", "model") if only the call is forbidden."""
    found = []
    for verb, rest in re.findall(r"[Dd]o not (use|call)((?:(?!\.\s|\n\n).)*)", text, re.DOTALL):
        sentence = re.split(r",? (?:and|but) ", rest)[0]
        for name in re.findall(r"`([\w.]+)`( itself)?", sentence):
            found.append((verb if name[1] or verb == "use" else "use", name[0].split(".")[-1]))
    return found


class Assignment:
    """The source notebook of one assignment."""

    def __init__(self, name: str, folder: Path = EXERCISES):
        path = folder / name / f"{name}.ipynb"
        if not path.exists():
            known = ", ".join(sorted(p.stem for p in folder.glob("*/*.ipynb")))
            raise ValueError(f"there is no assignment {name!r}: choose one of {known}")
        self.name, self.text = name, path.read_text("utf-8")
        notebook = nbformat.reads(self.text, as_version=4)
        self.title = notebook.cells[0].source.splitlines()[0].lstrip("# ")
        self.cells = [
            Cell(
                cell.metadata.get("nbgrader", {}).get("grade_id", cell.id),
                kind_of(cell),
                cell.source,
                cell.metadata.get("nbgrader", {}).get("points", 0),
            )
            for cell in notebook.cells
        ]

    @cached_property
    def tasks(self) -> list[Task]:
        tasks, text, solution = [], "", None
        for cell in self.cells:
            if cell.kind == "text":
                text += "\n\n" + cell.source
            elif cell.kind == "solution":
                solution = cell
            elif cell.kind == "test":
                title = re.findall(r"^## (.*?)(?: \(\d+ points\))?$", text, re.MULTILINE)[-1]
                hidden = "\n".join(HIDDEN.findall(cell.source))
                visible = HIDDEN.sub("", cell.source)
                names = defined(solution.source)
                tasks.append(Task(cell.id, title, cell.points, visible, hidden, names, solution, forbidden(text)))
                text = ""
        return tasks

    @property
    def written(self) -> Cell | None:
        return next((cell for cell in self.cells if cell.kind == "written"), None)

    @property
    def written_heading(self) -> str:
        """The first line of the question before the written answer."""
        texts = [cell.source for cell in self.cells[: self.cells.index(self.written)] if cell.kind == "text"]
        return texts[-1].strip().splitlines()[0]

    @property
    def points(self) -> float:
        return sum(task.points for task in self.tasks)

    def without_solution(self, cell: Cell) -> str:
        return SOLUTION.sub(rf"\1{PLACEHOLDER}\n\1raise NotImplementedError()", cell.source)
