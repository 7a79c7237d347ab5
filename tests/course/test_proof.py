"""Mutants of the model solutions, and the table of what the tests notice."""

import ast

import pytest

from course import export, proof
from course.assignment import EXERCISES, Assignment

NAMES = sorted(path.stem for path in EXERCISES.glob("*/*.ipynb"))


def test_mutants_differ_from_the_solution_and_from_each_other():
    task = next(task for task in Assignment("rnn_seq2seq").tasks if task.id == "test-gru-step")
    found = list(proof.mutants(task.solution.source))
    trees = {ast.dump(ast.parse(code)) for _, code in found}
    assert len(trees) == len(found) > 20
    assert ast.dump(ast.parse(task.solution.source)) not in trees
    assert any("(1 + z) * n" in line for line, _ in found)


def test_other_numbers_and_other_signs_for_masks_are_no_faults():
    source = "def f(a, b):\n    return a & b | a * 3\n"
    lines = [line for line, _ in proof.mutants(source)]
    assert {"return a & b | a * 4", "return a + b | a * 3", "return a & b * a * 3"} <= set(lines)
    assert not {"return a * b | a * 3", "return a & b + a * 3"} & set(lines)
    assert not any("4" in line for line, _ in proof.mutants(source, numbers=False))


@pytest.mark.parametrize("name", NAMES)
def test_cheats_are_code_that_defines_the_tasks_function(name):
    for task in Assignment(name).tasks:
        for _, code in proof.cheats(task):
            names = [node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)]
            assert task.functions[0] in names


@pytest.mark.slow
def test_mutants_are_graded_by_the_students_function(capsys):
    """Four of one task, and a task whose solution is another one's: what runs is not the model solution."""
    assignment = Assignment("rnn_seq2seq")
    task = assignment.tasks[1]
    with proof.Grader(assignment, proof.LIMIT) as grader:
        found = [proof.loses(grader, task, code) for _, code in list(proof.mutants(task.solution.source))[::4]]
        assert sum(found) >= len(found) - 1
        assert all(proof.loses(grader, task, code) for _, code in proof.cheats(task))
        assert not proof.loses(grader, task, task.solution.source)


def test_the_table_is_of_assignments_that_exist_and_names_each_survivor():
    rows = proof.known()
    assert {row["assignment"] for row in rows} <= set(NAMES)
    for row in rows:
        survivors = [text for text in row["survivors"].split(" ;; ") if text]
        missed = int(row["mutants"]) - int(row["caught"]) + int(row["cheats"]) - int(row["cheats_caught"])
        assert len(survivors) == missed, row
        assert (row["empty"], row["cheats"]) == ("0", row["cheats_caught"])
    caught, of = (sum(int(row[column]) for row in rows) for column in ("caught", "mutants"))
    assert caught >= 0.95 * of


def test_an_export_refuses_what_holds_solutions_and_full_folders(tmp_path, monkeypatch, handing):
    monkeypatch.setattr(export, "EXERCISES", EXERCISES)
    monkeypatch.setattr(export, "RELEASED", tmp_path / "release")
    with pytest.raises(ValueError, match="is missing"):
        export.export(tmp_path / "out")
    import nbformat

    for name in NAMES:
        (tmp_path / "release" / name).mkdir(parents=True)
        nbformat.write(handing.released(), tmp_path / "release" / name / f"{name}.ipynb")
    assert export.export(tmp_path / "course") == NAMES
    text = (tmp_path / "course" / "README.md").read_text("utf-8")
    assert all(f"]({name}/{name}.ipynb)" in text and (tmp_path / "course" / name).is_dir() for name in NAMES)
    assert "seqbook @ git+https://" in text
    with pytest.raises(ValueError, match="not empty"):
        export.export(tmp_path / "course")
    nbformat.write(handing.source, tmp_path / "release" / NAMES[0] / f"{NAMES[0]}.ipynb")
    with pytest.raises(ValueError, match="holds solutions"):
        export.export(tmp_path / "other")
