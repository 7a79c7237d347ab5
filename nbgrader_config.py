"""nbgrader's settings: `book/exercises/index.md` says how the assignments are given out and graded.

What students hand in, and their grades, lie in `grading/`, which git ignores and `make clean` leaves alone.
"""

import os
import sys
from pathlib import Path

from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_output
from nbgrader import preprocessors
from nbgrader.converters import generate_feedback

ROOT = Path(__file__).parent
# nbgrader calls alembic by name, which an environment that isn't activated doesn't have on its path.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


class Execute(preprocessors.Execute):
    """Goes on when a submission ends its own kernel, where nbgrader leaves it without grade and feedback.

    The cell that did it and all after it count as failed; what had passed before keeps its points.
    """

    def preprocess(self, nb, resources, *args, **kwargs):
        self.reached = 0
        try:
            return super().preprocess(nb, resources, *args, **kwargs)
        except DeadKernelError:
            number = sum(cell.cell_type == "code" for cell in nb.cells[: self.reached + 1])
            where = nb.cells[self.reached].metadata.get("nbgrader", {}).get("grade_id", f"code {number}")
            self.log.error("%s: the cell %s ended the kernel", resources["nbgrader"]["student"], where)
            for cell in nb.cells[self.reached :]:
                if cell.cell_type == "code":
                    text = f"the cell {where} ended Python itself: it and the cells after it have no result"
                    error = {"ename": "KernelDied", "evalue": text, "traceback": [f"KernelDied: {text}"]}
                    cell.outputs = [new_output("error", **error)]
            return nb, resources

    def preprocess_cell(self, cell, resources, index):
        self.reached = index
        return super().preprocess_cell(cell, resources, index)


c = get_config()

c.CourseDirectory.root = str(ROOT)
c.CourseDirectory.source_directory = "book/exercises"
c.CourseDirectory.release_directory = "build/release"
c.CourseDirectory.submitted_directory = "grading/submitted"
c.CourseDirectory.autograded_directory = "grading/autograded"
c.CourseDirectory.feedback_directory = "grading/feedback"
c.ZipCollectApp.downloaded_directory = "grading/downloaded"
(ROOT / "grading").mkdir(exist_ok=True)
c.CourseDirectory.db_url = f"sqlite:///{ROOT / 'grading' / 'gradebook.db'}"


class NameCells(preprocessors.NbGraderPreprocessor):
    """Writes the grade id into the text of each cell: editors that strip metadata leave it there."""

    def preprocess_cell(self, cell, resources, index):
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name and name != "setup":
            mark = f"# grade id: {name}" if cell.cell_type == "code" else f"<!-- grade id: {name} -->"
            cell.source = f"{mark}\n{cell.source}"
        return cell, resources


c.GenerateAssignment.preprocessors = [
    preprocessors.IncludeHeaderFooter,
    preprocessors.LockCells,
    preprocessors.ClearSolutions,
    NameCells,
    preprocessors.ClearOutput,
    preprocessors.CheckCellMetadata,
    preprocessors.ComputeChecksums,
    preprocessors.SaveCells,
    preprocessors.ClearHiddenTests,
    preprocessors.ClearMarkScheme,
    preprocessors.ComputeChecksums,
    preprocessors.CheckCellMetadata,
]

c.Autograde.autograde_preprocessors = [
    Execute if step is preprocessors.Execute else step
    for step in (
        preprocessors.Execute,
        preprocessors.IgnorePattern,
        "nbconvert.preprocessors.ClearMetadataPreprocessor",
        preprocessors.LimitOutput,
        preprocessors.SaveAutoGrades,
        preprocessors.AssignLatePenalties,
        preprocessors.CheckCellMetadata,
    )
]
c.ExecutePreprocessor.timeout = 60  # seconds a cell; most need one or two, the short trainings ten

# ada_NAME.ipynb; Canvas: lovelaceada_1234_5678_NAME-1.ipynb; Moodle: Ada Lovelace_123_assignsubmission_file/NAME.ipynb
# bert_pretraining is not the assignment pretraining of a student bert: the longest name that fits is taken.
names = "|".join(path.name for path in (ROOT / "book" / "exercises").iterdir() if path.is_dir())
end = r"(?:[ -]?\(?\d+\)?)?\.ipynb"
c.FileNameCollectorPlugin.named_regexp = (
    rf".*/(?!(?:{names}){end})(?P<student_id>[^/_]+)_(?:.*?[/_])??(?P<file_id>{names}){end}"
)

# The first folder holds what makes a feedback page whole without another host.
templates = Path(generate_feedback.__file__).parents[1] / "server_extensions" / "formgrader" / "templates"
c.GenerateFeedback.HTMLExporter.template_name = "feedback_page"
c.GenerateFeedback.HTMLExporter.extra_template_basedirs = [str(ROOT / "tools"), str(templates)]
