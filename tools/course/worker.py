"""The process that runs a submission. `session.py` starts it, tells it what to run, and reads what it says.

Its first process never runs a student's code. It imports the libraries once and forks a child for each run. The child
runs the cells, and forks a child for each test, so that a loop or an exit inside a test ends this test alone.
"""

import contextlib
import functools
import io
import json
import linecache
import os
import select
import shutil
import signal
import sys
import time
import traceback
import types

import sandbox
from untouched import Untouched

LONG = 2000  # characters of a message
# torch imports half of itself when these are first used.
WARM_UP = """
import torch
x = torch.ones(2, requires_grad=True)
torch.testing.assert_close(x, torch.ones(2))
torch.optim.Adam([x]).zero_grad()
x.sum().backward()
torch.manual_seed(0)
"""
TOLD = ("builtins.", "torch.", "Tensor.", "seqbook.", "assert_close")  # if a student's code replaces these, we say so


def nowhere() -> io.TextIOWrapper:
    return open(os.devnull, "w", encoding="utf-8", errors="backslashreplace")


def describe(error: BaseException) -> str:
    """An error in a line, with the student's line that raised it."""
    if isinstance(error, NotImplementedError) and not error.args:
        return "not implemented yet"
    try:
        text = str(error)
    except BaseException as other:
        text = f"({type(other).__name__} in the text of the error)"
    if type(error) is not AssertionError:
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg} (line {error.lineno} of the cell: {(error.text or '').strip()})"[:LONG]
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith("<your code")]
    if frames:
        text += f" (in {frames[-1].name}: {frames[-1].line})"
    return text[:LONG]


EQUALITY = {"__eq__", "__ne__", "__bool__", "__torch_function__", "__class__", "__array_function__"}


class Refused(AssertionError):
    """A returned value that would decide by itself what it is equal to."""


def plain(value, owner: str, depth: int = 0) -> None:
    """Refuse objects of a student's own class that say of themselves what they are equal to."""
    kind = type(value)
    by_python = bool(kind.__flags__ & 1 << 9)  # made by a class statement, and not in C
    own = kind.__module__ == "__main__" or getattr(sys.modules.get(kind.__module__), kind.__name__, None) is not kind
    values = int, float, str, list, dict, set, sys.modules["torch"].Tensor
    if own and by_python and (EQUALITY & set(vars(kind)) or issubclass(kind, values)):
        raise Refused(f"{owner} returned an object of a class of its own, {kind.__name__}, that redefines equality")
    if depth < 3 and isinstance(value, list | tuple):
        for part in value[:50]:
            plain(part, owner, depth + 1)
    elif depth < 3 and isinstance(value, dict):
        for part in list(value.values())[:50]:
            plain(part, owner, depth + 1)


def guarded(function):
    if not isinstance(function, types.FunctionType):
        return function

    @functools.wraps(function)
    def call(*arguments, **keywords):
        result = function(*arguments, **keywords)
        plain(result, function.__name__)
        return result

    return call


class Checks:
    """What the rewritten tests call."""

    def __init__(self, say, names: dict, untouched: Untouched):
        self.say, self.names, self.untouched = say, names, untouched
        self.result, self.gone = {}, {}

    def guard(self) -> None:
        self.untouched.restore_quickly()

    def passed(self, number: int) -> None:
        if number not in self.result:
            self.result[number] = True
            self.say(check=number, passed=True, message="")

    def failed(self, number: int, error: BaseException) -> None:
        if self.result.get(number) is not False:
            self.result[number] = False
            missing = self.gone.get(getattr(error, "name", None)) if isinstance(error, NameError) else None
            self.say(check=number, passed=False, message=missing or describe(error))

    def broke(self, number: int, error: BaseException, targets: list[str]) -> None:
        missing = self.gone.get(getattr(error, "name", None)) if isinstance(error, NameError) else None
        for name in targets:
            self.names.pop(name, None)
            self.gone[name] = missing or describe(error)
        self.failed(number, error)


class NoShell:
    """IPython's magics do nothing here, except those that run code."""

    def __init__(self, names: dict):
        self.names = names

    def run_cell_magic(self, magic: str, line: str, cell: str) -> None:
        if magic in ("time", "timeit", "capture", "prun"):
            exec(compile(cell, "<your code>", "exec"), self.names)

    def __getattr__(self, name: str):
        return lambda *_, **__: None


class Worker:
    def __init__(self, up: int, tests: int):
        self.up, self.tests, self.buffer = up, tests, b""
        settings = self.read()
        self.token, self.limit, self.memory = settings["token"], settings["limit"], settings["memory"]
        self.missing = sandbox.enter(settings["readable"])
        self.alone = not any(text.startswith("isolation") for text in self.missing)
        if not self.alone:
            os.setpgrp()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        exec(settings["imports"], {"__name__": "imports"})
        exec(WARM_UP, {})
        self.untouched = Untouched()
        self.missing += sandbox.limit(self.memory)

    def say(self, **message) -> None:
        """Raises nothing where nobody listens any more."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self.up, f"{self.token} {json.dumps(message)}\n".encode())

    def read(self) -> dict | None:
        """The next command, or None when nothing more will come."""
        while b"\n" not in self.buffer:
            part = os.read(0, 1 << 16)
            if not part:
                return None
            self.buffer += part
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def serve(self) -> None:
        self.say(ready=True, missing=self.missing)
        while command := self.read():
            child = os.fork()
            if child == 0:
                try:
                    self.run(command["steps"])
                finally:
                    os._exit(1)
            self.watch(child)

    def watch(self, child: int) -> None:
        """Wait until the child has ended, or until we are told to end it."""
        while True:
            ended, status = os.waitpid(-1, os.WNOHANG)
            if ended not in (0, child):
                continue  # it belonged to something that a student's code started
            told = not ended and bool(select.select([0], [], [], 0.02)[0])
            if told and (self.read() or {}).get("kill") is None:
                self.kill(child)
                os._exit(0)
            if told:
                self.kill(child)
                status = signal.SIGKILL
            if told or ended:
                self.sweep()
                self.tidy()
                self.say(over=os.waitstatus_to_exitcode(status))
                return

    def sweep(self) -> None:
        """End all other processes in the sandbox but the first, so that a test can start its own."""
        if not self.alone:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(-1, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)

    def tidy(self) -> None:
        """What a submission has written is gone before the next one runs."""
        for entry in os.scandir("/tmp") if self.alone else ():
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)

    def kill(self, child: int) -> None:
        """End a child that ends in no other way."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)

    def run(self, steps: list[dict]) -> None:
        """In the child: all cells, and each test in a child of its own."""
        null = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(null, number)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        private = dict(vars(__import__("builtins")))
        own = types.ModuleType("__main__")
        sys.modules["__main__"] = own
        trusted = types.ModuleType("given")
        sys.modules["given"] = trusted  # dataclasses look their module up
        self.theirs, self.ours = vars(own), vars(trusted)
        self.ours["__builtins__"] = private
        self.theirs |= {"display": lambda *_, **__: None, "get_ipython": lambda: NoShell(self.theirs)}
        for step in steps:
            if step["kind"] == "given":
                self.given(step)
            elif step["kind"] == "own":
                self.own(step)
            else:
                self.test(step)
        self.say(end=True)
        os._exit(0)

    def clean(self) -> None:
        import torch

        changed = self.untouched.restore()
        signal.setitimer(signal.ITIMER_REAL, 0)
        with contextlib.suppress(OSError):  # take any amount of text and keep nothing
            sys.stdin, sys.stdout, sys.stderr = io.StringIO(), nowhere(), nowhere()
        if torch.is_inference_mode_enabled():
            self.mode = torch.inference_mode(False)
            self.mode.__enter__()
        torch.set_grad_enabled(True)
        torch.set_default_dtype(torch.float32)
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(1)
        torch.set_autocast_enabled("cpu", False)
        torch.set_default_device(None)
        while torch._C._len_torch_function_stack():  # with torch.device("meta"):
            torch.overrides._pop_mode()
        changed = [name for name in changed if name.startswith(TOLD) and "._" not in name]
        if changed:
            self.say(changed=changed[:20])

    def given(self, step: dict) -> None:
        """A cell of the assignment itself, which may call what the student has written; the student gets its names."""
        self.clean()
        self.take(step["names"])
        before = dict(self.ours)
        self.say(cell=step["number"])
        try:
            exec(compile(step["code"], "<given>", "exec"), self.ours)
        except BaseException as error:
            self.say(cell=step["number"], error=f"{describe(error)} (in a cell that was given)")
        new = {k: v for k, v in self.ours.items() if k not in before or before[k] is not v}
        self.theirs.update({k: v for k, v in new.items() if not k.startswith("__")})

    def take(self, names: list[str]) -> None:
        """The student's functions, where the tests look for them."""
        for name in names:
            if name in self.theirs:
                self.ours[name] = guarded(self.theirs[name])

    def own(self, step: dict) -> None:
        name = f"<your code {step['number']}>"
        linecache.cache[name] = len(step["code"]), None, step["code"].splitlines(True), name
        self.say(cell=step["number"])
        try:
            exec(compile(step["code"], name, "exec"), self.theirs)
        except BaseException as error:
            self.say(cell=step["number"], error=describe(error))

    def test(self, step: dict) -> None:
        self.sweep()
        self.clean()
        self.say(task=step["task"])
        child = os.fork()
        if child == 0:
            try:
                self.check(step)
            except BaseException as error:
                self.say(task=step["task"], stopped=describe(error))
            finally:
                os._exit(0)
        end = time.monotonic() + self.limit
        while (ended := os.waitpid(child, os.WNOHANG))[0] == 0 and time.monotonic() < end:
            time.sleep(0.005)
        if ended[0] == 0:
            self.kill(child)
            self.say(task=step["task"], stopped=f"stopped after {self.limit:g} seconds")
        elif code := os.waitstatus_to_exitcode(ended[1]):
            self.say(task=step["task"], stopped=f"the code ended the process (exit status {code})")

    def check(self, step: dict) -> None:
        parts = self.tests_of(step["task"])
        self.take(step["names"])
        self.ours["__checks__"] = Checks(lambda **m: self.say(task=step["task"], **m), self.ours, self.untouched)
        for part in parts:
            exec(part, self.ours)
        self.say(task=step["task"], complete=True)

    def tests_of(self, task: str) -> list[types.CodeType]:
        """The tests, compiled: their text is gone before a student's function runs beside them."""
        self.say(need=task)
        with open(self.tests, "rb", buffering=0) as pipe:
            text = b""
            while not text.endswith(b"\n"):
                text += pipe.read(1 << 16)
        return [compile(part, "<test>", "exec") for part in json.loads(text)]


if __name__ == "__main__":
    Worker(*map(int, sys.argv[1:3])).serve()
