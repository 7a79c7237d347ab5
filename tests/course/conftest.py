"""Submissions of the assignment of chapter 1.1, as students get it and as they hand it in."""

import copy
from pathlib import Path

import nbformat
import pytest

from course.assignment import EXERCISES, HIDDEN, SOLUTION


class Handing:
    """Makes the files that students hand in for one assignment."""

    def __init__(self, name: str):
        self.name = name
        self.source = nbformat.read(EXERCISES / name / f"{name}.ipynb", as_version=4)

    def released(self) -> nbformat.NotebookNode:
        return self.solved(solutions=False)

    def solved(self, solutions: bool = True, **changes: str) -> nbformat.NotebookNode:
        """The model solution with other code for some tasks: `greedy="def greedy…"`."""
        notebook = copy.deepcopy(self.source)
        for cell in notebook.cells:
            options = cell.metadata.get("nbgrader", {})
            name = options.get("grade_id", "")
            cell.source = HIDDEN.sub("", cell.source)
            if cell.cell_type == "markdown" and name:
                cell.source = f"<!-- grade id: {name} -->\nYOUR ANSWER HERE"
            elif options.get("solution") and not solutions:
                cell.source = SOLUTION.sub(r"\1# YOUR CODE HERE\n\1raise NotImplementedError()", cell.source)
            cell.source = changes.get(name.replace("-", "_"), cell.source)
            if cell.cell_type == "code" and name and name != "setup":
                cell.source = f"# grade id: {name}\n{cell.source}"
        return notebook

    def with_cell(self, code: str, after: str = "imports", **changes: str) -> nbformat.NotebookNode:
        """Solved, with one cell of the student's own."""
        notebook = self.solved(**changes)
        place = next(i for i, c in enumerate(notebook.cells) if c.metadata.get("nbgrader", {}).get("grade_id") == after)
        notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(code))
        return notebook

    def cell(self, notebook: nbformat.NotebookNode, name: str) -> nbformat.NotebookNode:
        return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == name)

    def write(self, folder: Path, student: str, notebook: nbformat.NotebookNode) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{student}_{self.name}.ipynb"
        path.write_text(nbformat.writes(notebook), "utf-8")
        return path


@pytest.fixture(scope="session")
def handing():
    return Handing("rnn_seq2seq")
