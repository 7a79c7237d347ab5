"""What grading writes: grades.csv, a page for each student, and a page for the teacher. Equal results, equal bytes."""

import base64
import csv
import io
from html import escape
from pathlib import Path

import matplotlib

from course import similar
from course.assignment import Assignment
from course.grading import keep, safe

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .3rem .6rem; vertical-align: top; }
td, th { border-bottom: 1px solid #ddd; } pre, .message { white-space: pre-wrap; overflow-wrap: anywhere; }
.ok { color: #17692e; } .no { color: #a3161f; } .message { color: #555; font-size: .9rem; } img { max-width: 100%; }
.missing { background: #fff3cd; padding: .5rem 1rem; }
@media (prefers-color-scheme: dark) {
  body { background: #181818; color: #ddd; } td, th { border-color: #444; } .message { color: #aaa; }
  .ok { color: #79c990; } .no { color: #f08a90; } .missing { background: #4a3d10; } img { background: white; }
}
"""


def page(title: str, body: str) -> str:
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def listed(lines: list[str]) -> str:
    return "<ul>\n" + "".join(f"<li>{escape(line)}</li>\n" for line in lines) + "</ul>\n" if lines else ""


def feedback(assignment: Assignment, result: dict) -> str:
    """The page of one student: each check with its message; hidden checks by what they test, without their code."""
    if not result["tasks"]:
        return page(f"{assignment.title}: {result['student']}", "<p>Not graded.</p>" + listed(result["notes"]))
    body = f"<p><strong>{result['points']:g} of {assignment.points:g} points</strong> from tests.</p>\n"
    body += listed(result["notes"])
    for task in result["tasks"]:
        body += f"<h2>{escape(task['title'])}: {task['points']:g} of {task['of']:g}</h2>\n"
        for reason in (task["rule"], task["stopped"], task["why"]):
            body += f'<p class="no">{escape(reason)}</p>\n' if reason else ""
        body += "<table>\n<tr><th>check</th><th>result</th></tr>\n"
        for check in task["checks"]:
            kind = " <small>(hidden)</small>" if check["hidden"] else ""
            message = "" if check["passed"] else f'<div class="message">{escape(check["message"])}</div>'
            mark = '<span class="ok">✓ passed</span>' if check["passed"] else '<span class="no">✗ failed</span>'
            body += f"<tr><td>{escape(check['name'])}{kind}{message}</td><td>{mark}</td></tr>\n"
        body += "</table>\n"
    if result["errors"]:
        body += "<h2>Errors in the cells</h2>\n" + listed(result["errors"])
    if assignment.written:
        points = assignment.written.points
        body += f"<h2>Written answer: graded by your teacher ({points:g} points)</h2>\n"
        body += f"<pre>{escape(result['answer'] or 'There is no answer.')}</pre>\n"
    return page(f"{assignment.title}: {result['student']}", body)


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = ["".join(f"<th>{escape(text)}</th>" for text in header)]
    lines += ["".join(f"<td>{escape(text)}</td>" for text in row) for row in rows]
    return "<table>\n" + "".join(f"<tr>{line}</tr>\n" for line in lines) + "</table>\n"


def plot(assignment: Assignment, results: list[dict]) -> str:
    """How many students reached how many points, task by task."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(assignment.tasks), figsize=(10, 2.6), sharey=True, squeeze=False)
    for number, (axis, task) in enumerate(zip(axes[0], assignment.tasks, strict=True)):
        marks = [result["tasks"][number]["points"] for result in results]
        axis.hist(marks, bins=[p - 0.5 for p in range(int(task.points) + 2)], color="#3b6ea5", rwidth=0.85)
        axis.set_title(task.title.split(":")[0])
        axis.set_xlabel(f"points of {task.points:g}")
        axis.set_xticks(range(int(task.points) + 1))
    axes[0][0].set_ylabel("students")
    figure.tight_layout()
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=110, metadata={"Software": None})
    pyplot.close(figure)
    return base64.b64encode(image.getvalue()).decode()


def teacher(assignment: Assignment, results: list[dict]) -> str:
    """Marks by task as a plot, who needs a look and why, and near-identical submissions."""
    graded = [result for result in results if result["tasks"]]
    body = f"<p>{len(results)} students, {len(graded)} graded by tests, of {assignment.points:g} points.</p>\n"
    if answers := sum(bool(result["answer"]) for result in graded):
        body += f"<p>{answers} written answers are to be graded by you: they are on the students' pages.</p>\n"
    for text in sorted({text for result in results for text in result["missing"]}):
        body += f'<p class="missing">Missing on this machine: {escape(text)}.</p>\n'
    if graded:
        alt = "Histograms: how many students have how many points, for each task."
        body += f'<h2>Marks by task</h2>\n<img alt="{alt}" src="data:image/png;base64,{plot(assignment, graded)}">\n'
        rows = []
        for number, task in enumerate(assignment.tasks):
            marks = [result["tasks"][number]["points"] for result in graded]
            lost: dict[str, int] = {}
            for result in graded:
                for check in result["tasks"][number]["checks"]:
                    lost[check["name"]] = lost.get(check["name"], 0) + (not check["passed"])
            most = max(lost, key=lambda name: lost[name])
            rows.append([
                task.title, f"{sum(marks) / len(marks):.2f} of {task.points:g}",
                f"{most} ({lost[most]} of {len(graded)})" if lost[most] else "none failed",
            ])  # fmt: skip
        body += table(["task", "mean", "the check that most failed"], rows)
    rows = [[result["student"], "\n".join(result["look"])] for result in results if result["look"]]
    body += "<h2>Who needs a look, and why</h2>\n<p>These are hints for a person. They change no marks.</p>\n"
    body += table(["student", "why"], rows).replace("<td>", '<td class="message">') if rows else "<p>Nobody.</p>\n"
    alike = similar.pairs({result["student"]: result["code"] for result in graded})
    body += "<h2>Nearly the same code</h2>\n<p>A hint, and no verdict: short correct solutions look alike.</p>\n"
    rows = [[one, other, f"{100 * share:.0f} %"] for one, other, share in alike]
    body += table(["student", "student", "equal tokens"], rows) if rows else "<p>None.</p>\n"
    body += "<h2>All marks</h2>\n"
    rows = [
        [r["student"], *([f"{t['points']:g}" for t in r["tasks"]] or ["–"] * len(assignment.tasks)), f"{r['points']:g}"]
        for r in results
    ]
    body += table(["student", *[task.title.split(":")[0] for task in assignment.tasks], "sum"], rows)
    return page(f"{assignment.title}: for the teacher", body)


def grades(assignment: Assignment, results: list[dict]) -> str:
    """The table of marks. A name that a spreadsheet would run as a formula is quoted."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["student", "points", "of", *[task.id.removeprefix("test-") for task in assignment.tasks], "note"])
    for result in results:
        student = result["student"]
        student = f"'{student}" if student.startswith(("=", "+", "-", "@", "\t")) else student
        marks = [f"{task['points']:g}" for task in result["tasks"]] or [""] * len(assignment.tasks)
        note = "; ".join(result["notes"])
        writer.writerow([student, f"{result['points']:g}", f"{assignment.points:g}", *marks, note])
    return out.getvalue()


def write(assignment: Assignment, results: list[dict], out: Path) -> None:
    keep(out / "grades.csv", grades(assignment, results))
    keep(out / "teacher.html", teacher(assignment, results))
    for result in results:
        keep(out / "feedback" / f"{safe(result['student'])}.html", feedback(assignment, result))
