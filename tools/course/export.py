"""A folder that a learning platform or GitHub Classroom can take: students' notebooks and a README, no solutions."""

import shutil
import sys
from pathlib import Path

import nbformat

from course.assignment import EXERCISES, ROOT, Assignment
from course.grading import keep

RELEASED = ROOT / "build" / "release"
SECRETS = ("### BEGIN SOLUTION", "### BEGIN HIDDEN TESTS")
README = """# Assignments

Each folder holds one notebook. Everything runs on a CPU in seconds. You need Python 3.11 or newer:

```bash
python -m venv .venv
.venv/bin/pip install jupyterlab "{package}"
.venv/bin/jupyter lab
```

In Colab, upload the notebook: its first cell installs the package.

1. Open the notebook and replace each `raise NotImplementedError()` with your own code.
2. Run the tests below each task. When the notebook is graded, more tests run on other inputs.
3. Write the answer to the last question in its cell.
4. Restart the kernel, run all cells, save the notebook, and hand it in under its own name.

The lines `# grade id: …` say which cell is which. Leave them where they are: then your work can be graded
whatever editor you use.

| assignment | notebook | points from tests | points for the written answer |
|---|---|---|---|
{rows}
"""


def export(out: Path) -> list[str]:
    """Write the folder; returns the names of the assignments. Raises ValueError if there is something in the way."""
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty: give a new folder, or empty it first")
    rows, names = [], sorted(path.stem for path in EXERCISES.glob("*/*.ipynb"))
    address = ""
    for name in names:
        path = RELEASED / name / f"{name}.ipynb"
        if not path.exists():
            raise ValueError(f"{path} is missing: `make export-course` makes it")
        notebook = nbformat.read(path, as_version=4)
        text = "\n".join(cell.source for cell in notebook.cells)
        if any(secret in text for secret in SECRETS):
            raise ValueError(f"{path} holds solutions: generate the students' version again")
        address = next((part for part in text.split('"') if part.startswith("git+http")), address)
        (out / name).mkdir(parents=True)
        shutil.copy(path, out / name)
        assignment = Assignment(name)
        written = assignment.written.points if assignment.written else 0
        rows.append(
            f"| {assignment.title} | [{name}.ipynb]({name}/{name}.ipynb) | {assignment.points:g} | {written:g} |"
        )
    keep(out / "README.md", README.format(package=f"seqbook @ {address}", rows="\n".join(rows)))
    keep(out / ".gitignore", ".venv/\n.ipynb_checkpoints/\n__pycache__/\n")
    return names


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not arguments[0]:
        print("export-course: use make export-course OUT=folder", file=sys.stderr)
        return 2
    try:
        names = export(Path(arguments[0]))
    except ValueError as error:
        print(f"export-course: {error}", file=sys.stderr)
        return 2
    print(f"{len(names)} assignments in {arguments[0]}: put it on your platform as it is")
    return 0
