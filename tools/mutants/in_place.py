"""Mutants that change the body of functions, tried without importing anything again.

All tests are collected once. In a fork for each mutant, the functions get their new code, and those tests run that execute
the changed lines. That takes less than a second where starting pytest anew takes four.
"""

import ast
import gc
import inspect
import os
import shutil
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import accumulate, pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from types import CodeType, FunctionType

import pytest
from coverage import Coverage

from mutants.trials import FirstFailure, Trial, allow, fork, own, pytest_in, run, source, write_to

# After the tests of a module's own file, those of quick other files run for so many seconds.
OTHERS = 10.0
# A test that takes so many times as long as usual, and so many seconds of computing, has caught the mutant.
LONGER = 10, 5.0


def in_place(trials: list[Trial], tests: list[str], folder: Path, folders: list[Path], limit: float) -> Iterator[Trial]:
    """The trials as they end. One that nothing has caught is to be run anew with the files in `executing`: what is called
    during an import, a fixture that several tests share, and a child process see only the changed file.

    tests: the files to collect, in the copy of the project `folder`.

    Raises:
        SystemExit: a test fails without any change.
    """
    answer, theirs = fork.Pipe(duplex=False)
    server = fork.Process(target=_serve, args=(trials, tests, folder, folders, limit, theirs))
    server.start()
    theirs.close()
    try:
        while (message := answer.recv())[0] is not None:
            i, trials[i].caught, trials[i].executing = message
            yield trials[i]
    except EOFError:
        sys.exit(f"the tests could not be collected or run, see {folder}/output.txt")
    finally:
        server.terminate()
        server.join()
    if message[1]:
        sys.exit(f"{message[1]} without any change, see {folders[0]}/output.txt")


def changes_a_function(before: str, after: str) -> bool:
    """Whether nothing else differs between these two sources of a module."""
    return _same_outside(compile(before, "", "exec"), compile(after, "", "exec"))


def _same_outside(before: CodeType, after: CodeType) -> bool:
    if before.co_flags & inspect.CO_OPTIMIZED:
        return before.co_freevars == after.co_freevars
    return _content(before) == _content(after) and all(map(_same_outside, _parts(before), _parts(after)))


def _parts(code: CodeType) -> list[CodeType]:
    return [part for part in code.co_consts if isinstance(part, CodeType)]


def _content(code: CodeType) -> tuple:
    constants = [part.co_name if isinstance(part, CodeType) else repr(part) for part in code.co_consts]
    return code.co_code, code.co_names, constants


def _replaced(before: CodeType, after: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """The code of each function that differs, before and after, with that of the functions in it."""
    if before != after:
        if before.co_flags & inspect.CO_OPTIMIZED:
            yield before, after
        for pair in zip(_parts(before), _parts(after), strict=False):
            yield from _replaced(*pair)


def changed_lines(before: str, after: str) -> set[int]:
    """The numbers of the lines that were changed, and of the other lines of their statements, in the first source."""
    old, new = before.splitlines(), after.splitlines()
    found = set()
    for kind, start, end, *_ in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            found.update(range(start + 1, max(end, start + 1) + 1))
    statements = [node for node in ast.walk(ast.parse(before)) if isinstance(node, ast.stmt)]
    ranges = [range(node.lineno, _last_line(node) + 1) for node in statements]
    return found.union(*(min((r for r in ranges if line in r), key=len, default=()) for line in found))


def _last_line(node: ast.stmt) -> int:
    """Of a statement, or of what comes before the statements in it."""
    inside = node.cases[0].pattern if isinstance(node, ast.Match) else next(iter(getattr(node, "body", [])), None)
    return node.end_lineno if inside is None else max(node.lineno, inside.lineno - 1)


def _serve(
    trials: list[Trial], tests: list[str], folder: Path, folders: list[Path], limit: float, answer: Connection
) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    os.chdir(folder)
    write_to("output.txt")
    pytest_in(folder, tests, _Mutants(trials, folders, limit, answer))
    answer.close()


class _Mutants:
    """A plugin of pytest: where it would run the tests, it runs those of each mutant in a fork."""

    def __init__(self, trials: list[Trial], folders: list[Path], limit: float, answer: Connection):
        self.trials, self.folders, self.limit, self.answer = trials, folders, limit, answer
        self.failure, self.library = FirstFailure(), Path("lib").resolve()
        self.collecting = self.coverage()
        self.collecting.start()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.collecting.stop()
        imported = self.collecting.get_data()
        self.session, self.items = session, {item.nodeid: item for item in session.items}
        session.config.pluginmanager.register(self.failure)
        self.functions = defaultdict(list)
        for function in gc.get_objects():
            if isinstance(function, FunctionType):
                self.functions[function.__code__].append(function)
        gc.freeze()

        everything = Trial("", "", "", [list(self.items)])
        list(run([everything], self.measure, self.folders[:1], 20 * self.limit))
        if isinstance(everything.caught, str):
            return self.end(everything.caught)
        executing, self.seconds = everything.caught
        number, ready, passed = {trial: i for i, trial in enumerate(self.trials)}, [], set()
        for trial in self.trials:
            original, path = source(trial.module).read_text("utf-8"), str(source(trial.module).resolve())
            lines, inside = changed_lines(original, trial.code), changes_a_function(original, trial.code)
            by_line = executing.get(path, {})
            found = {name for line in lines if inside for name in by_line.get(line, [])}
            tests = self.in_order(found, own(trial.module))
            if inside and not lines & set(imported.lines(path) or []):
                trial.executing = list(map(file_of, tests[:1]))
            else:
                everything = self.in_order(set(self.items), own(trial.module))
                trial.executing = list(dict.fromkeys(map(file_of, everything)))
            if tests:
                trial.stages = [tests]
                ready.append(trial)
            else:
                self.answer.send((number[trial], "", trial.executing))
        for trial in run(ready, self.test, self.folders, self.limit):
            if trial.caught in self.items and trial.caught not in passed:
                alone = Trial("", "", "", [[trial.caught]])
                list(run([alone], self.test, [trial.folder], self.limit))
                if alone.caught:
                    return self.end(alone.caught)
                passed.add(trial.caught)
            self.answer.send((number[trial], trial.caught, trial.executing))
        return self.end("")

    def coverage(self) -> Coverage:
        return Coverage(data_file=None, include=[f"{self.library}/*"], config_file=False)

    def end(self, failed: str) -> bool:
        self.answer.send((None, failed))
        return True

    def in_order(self, tests: set[str], own: str) -> list[str]:
        """Those of the module's own file first, then those of the files that need the least time for theirs."""
        spent = defaultdict(float)
        for name in tests:
            spent[file_of(name)] += self.seconds[name]
        files = sorted(spent, key=lambda file: (file != own, spent[file]))
        until = dict(zip(files, accumulate(spent[file] for file in files), strict=True))
        enough = spent[files[0]] + OTHERS if files else 0.0
        place = {name: i for i, name in enumerate(self.items)}
        kept = [name for name in tests if until[file_of(name)] <= enough]
        return sorted(kept, key=lambda name: (until[file_of(name)], place[name]))

    def measure(self, trial: Trial) -> str | tuple[dict, dict]:
        """Run all tests. Returns the tests that execute each line of each file, and the seconds that each takes; or only
        the test that fails."""
        executed, seconds = self.coverage(), {}
        executed.start()
        for item, following in pairwise([*self.items.values(), None]):
            executed.switch_context(item.nodeid)
            began = time.perf_counter()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            seconds[item.nodeid] = time.perf_counter() - began
            if self.failure.name:
                return self.failure.name
        executed.stop()
        data, same = executed.get_data(), {name: name for name in self.items}  # one object for each name
        lines = {path: data.contexts_by_lineno(path) for path in data.measured_files()}
        return {
            path: {n: [same[name] for name in found if name] for n, found in of.items()} for path, of in lines.items()
        }, seconds

    def test(self, trial: Trial) -> str:
        """Give the functions their new code and run the tests. Returns the test that fails."""
        if trial.change:
            for before, after in _replaced(self.compiled(trial.module), self.compiled(trial.module, trial.code)):
                for function in self.functions[before]:
                    function.__code__ = after
        temporary = trial.folder / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        self.session.config._tmp_path_factory._basetemp = temporary
        signal.signal(signal.SIGXCPU, _too_long)
        for item, following in pairwise([*(self.items[name] for name in trial.tests), None]):
            allow(LONGER[0] * self.seconds[item.nodeid] + LONGER[1])
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.failure.name:
                break
        return self.failure.name

    @staticmethod
    def compiled(module: str, code: str | None = None) -> CodeType:
        """The module's code as it was imported: jaxtyping's hook adds checks of shapes to it."""
        imported = sys.modules[f"seqbook.{module.replace('/', '.')}"]
        code = Path(imported.__file__).read_text("utf-8") if code is None else code
        return imported.__spec__.loader.source_to_code(code.encode(), imported.__file__)


def file_of(test: str) -> str:
    return test.split("::")[0]


def _too_long(*_) -> None:
    raise TimeoutError("the test takes too long")
