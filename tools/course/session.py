"""A sandbox, seen from outside: start it, have it run the steps of a submission, read the results within limits."""

import contextlib
import json
import os
import secrets
import select
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from course.assignment import ROOT, Assignment
from course.checks import Check, Rewriter
from course.matching import python

HERE = Path(__file__).parent
MEMORY = 2 << 30  # bytes, beside what the libraries need
LIMIT = 30.0  # seconds for a cell or the tests of a task; they need one or two
RESTARTS = 5  # how often it begins anew without a cell that hangs or ends Python
SHOWN = 20  # of the errors in a student's cells
# The last check of every task fails. Where it doesn't, the results are not those of the tests.
CANARY = """
try:
    __checks__.guard()
    assert False
    __checks__.passed({0})
except BaseException as __error__:
    __checks__.failed({0}, __error__)
"""


@dataclass
class Outcome:
    """What a run has shown: per task, which check passed, and the message of each that failed."""

    results: dict[str, dict[int, tuple[bool, str]]] = field(default_factory=dict)
    stopped: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)
    forged: bool = False


class Broken(RuntimeError):
    """The sandbox itself doesn't work here."""


class Session:
    """One process that has the assignment's libraries loaded. Use it as a context."""

    def __init__(self, assignment: Assignment, limit: float = LIMIT, memory: int = MEMORY):
        self.assignment, self.limit, self.memory = assignment, limit, memory
        self.checks: dict[str, list[Check]] = {}
        self.code: dict[str, list[str]] = {}
        for task in assignment.tasks:
            rewriter = Rewriter(task.title)
            self.code[task.id] = [rewriter.rewrite(task.visible, False), rewriter.rewrite(task.hidden, True)]
            self.checks[task.id] = rewriter.checks
            self.code[task.id].append(CANARY.format(len(rewriter.checks)))

    def __enter__(self):
        self.token, self.buffer = secrets.token_hex(8), b""
        self.up, theirs_up = os.pipe()
        theirs_tests, self.tests = os.pipe()
        environment = {
            "PATH": "/usr/bin:/bin", "HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1",
            "MPLBACKEND": "Agg", "HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0",
            "SEQBOOK_HOME": "/tmp/seqbook", "MICROWORLD_HOME": "/tmp/microworld",
            "PYTHONPATH": f"{HERE}{os.pathsep}{ROOT / 'lib'}",
        }  # fmt: skip
        environment |= {k: v for k, v in os.environ.items() if k == "LD_LIBRARY_PATH"}
        executable = Path(sys.executable)  # its environment may be a link to one that lies elsewhere
        executable = executable.parent.resolve() / executable.name
        self.process = subprocess.Popen(
            [str(executable), str(HERE / "worker.py"), str(theirs_up), str(theirs_tests)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            pass_fds=(theirs_up, theirs_tests), env=environment, cwd="/",
        )  # fmt: skip
        os.close(theirs_up)
        os.close(theirs_tests)
        imports = next(
            (c.source for c in self.assignment.cells if c.kind == "given" and c.id != "setup"), "import torch"
        )
        folders = {str(executable.parents[1]), sys.base_prefix, str(executable.resolve().parents[1]), str(ROOT / "lib")}
        readable = sorted(folder for folder in folders if folder not in ("/", "/usr"))
        self.send(
            token=self.token, limit=self.limit, memory=self.memory, readable=readable, imports=python(imports)
        )  # fmt: skip
        ready = self.receive(300)  # torch is slow to load on a busy machine
        if not ready or not ready.get("ready"):
            self.close()
            why = self.process.stderr.read().decode(errors="replace").strip().splitlines()
            raise Broken(f"the process that runs submissions doesn't start: {why[-1] if why else 'it says nothing'}")
        self.missing = ready["missing"]
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for end in (self.up, self.tests):
            with contextlib.suppress(OSError):
                os.close(end)

    def send(self, **message) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def receive(self, seconds: float) -> dict | None:
        """The next message with our token, or None after so many seconds, or at the end."""
        end = time.monotonic() + seconds
        while True:
            while b"\n" in self.buffer:
                line, self.buffer = self.buffer.split(b"\n", 1)
                token, _, text = line.partition(b" ")
                if token == self.token.encode():
                    with contextlib.suppress(ValueError):
                        return json.loads(text)
                self.forged = True
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.up], [], [], left)[0]:
                return None
            part = os.read(self.up, 1 << 16)
            if not part:
                return None
            self.buffer = (self.buffer + part)[-(1 << 22) :]

    def run(self, steps: list[dict]) -> Outcome:
        """Run a submission. A cell that hangs or ends Python is left out and the rest is run again."""
        outcome, left_out, graded, self.forged = Outcome(), {}, set(), False
        for _ in range(RESTARTS + 1):
            todo = [
                step for step in steps if step.get("number") not in left_out and step.get("task", "") not in graded
            ]  # fmt: skip
            if not any(step["kind"] == "test" for step in todo):
                break
            at = self.attempt(todo, outcome, graded)
            if at is None:
                break
            if "task" in at:
                outcome.stopped.setdefault(at["task"], at["why"])
                graded.add(at["task"])
            elif "cell" in at:  # what was left out after it may have hung because of it
                left_out = {number: why for number, why in left_out.items() if number < at["cell"]}
                left_out[at["cell"]] = at["why"]
            else:
                outcome.errors.append(at["why"])
        outcome.errors += [f"cell {number} was left out: {why}" for number, why in left_out.items()]
        for task, checks in self.checks.items():
            found = outcome.results.get(task, {})
            canary, whole = found.pop(len(checks), None), len(found) == len(checks)
            if canary[0] if canary else whole and all(passed for passed, _ in found.values()):
                outcome.results[task], outcome.forged = {}, True
                outcome.stopped[task] = "the code reported results that are not those of the tests"
        for step in steps:
            if step["kind"] == "test" and step["task"] not in graded:
                outcome.stopped.setdefault(step["task"], "the cells before it hang or end Python")
        outcome.forged = self.forged
        return outcome

    def attempt(self, steps: list[dict], outcome: Outcome, graded: set[str]) -> dict | None:
        """Run the steps once; returns where it stuck, or None if it came to the end."""
        self.send(steps=steps)
        at: dict = {}
        told = False
        while True:
            message = self.receive(20 if told else self.limit + (15 if "task" in at else 0))
            if message is None:
                if told or self.process.poll() is not None:
                    raise Broken("the process that runs submissions has ended")
                self.send(kill=True)
                at["why"], told = f"stopped after {self.limit:g} seconds", True
            elif "over" in message:
                if told or message["over"]:
                    at.setdefault("why", f"the code ended Python (exit status {message['over']})")
                    return at
                return None if at.get("end") else {**at, "why": "the code ended Python"}
            elif "end" in message:
                at = {"end": True}
            elif "need" in message:
                os.write(self.tests, json.dumps(self.code[message["need"]]).encode() + b"\n")
            elif "check" in message:
                self.note(outcome, message)
            elif "cell" in message:
                at = {"cell": message["cell"]}
                if "error" in message and len(outcome.errors) < SHOWN:
                    text = f"cell {message['cell']}: {message['error']}"
                    outcome.errors += [] if text in outcome.errors else [text]
            elif "changed" in message:
                outcome.changed.update(message["changed"])
            elif "task" in message:
                at = {"task": message["task"]}
                if "stopped" in message:
                    outcome.stopped[message["task"]] = message["stopped"]
                if "stopped" in message or "complete" in message:
                    graded.add(message["task"])
                    at = {}

    def note(self, outcome: Outcome, message: dict) -> None:
        task, number = message["task"], message["check"]
        if task in self.checks and isinstance(number, int) and 0 <= number <= len(self.checks[task]):
            found = outcome.results.setdefault(task, {})
            if found.get(number, (True, ""))[0]:
                found[number] = bool(message["passed"]), str(message["message"])[:2000]
