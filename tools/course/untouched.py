"""What a student's code may have replaced is put back before tests run: `max`, `torch.testing.assert_close`, …"""

import builtins
import contextlib
import sys
import types

WATCHED = ("torch", "seqbook", "microworld", "math", "random", "copy", "functools", "itertools", "json", "os", "time")
DEEP = ("seqbook", "torch.testing", "torch.nn.functional", "torch.nn.modules")  # the code of functions, too
Kept = list[tuple[object, dict]]


def _set(owner: object, name: str, value: object) -> None:
    with contextlib.suppress(AttributeError, TypeError):  # a slot that nobody can change
        setattr(owner, name, value)


class Untouched:
    """The names of the modules and classes as they are when it is made."""

    def __init__(self):
        modules = {name: m for name, m in sys.modules.items() if isinstance(m, types.ModuleType)}
        watched = [m for name, m in modules.items() if name.split(".")[0] in WATCHED]
        self.modules = modules
        self.owners: Kept = [(owner, dict(vars(owner))) for owner in (builtins, sys, *watched)]
        classes = {
            id(value): value
            for name, module in modules.items()
            if name.startswith(("seqbook", "torch.nn.modules")) or name == "torch"
            for value in vars(module).values()
            if isinstance(value, type) and value.__module__.split(".")[0] in ("torch", "seqbook")
        }
        self.owners += [(owner, dict(vars(owner))) for owner in classes.values()]
        near = [o for o in self.owners if getattr(o[0], "__name__", "").startswith(DEEP) or isinstance(o[0], type)]
        functions = [f for _, names in near for f in names.values() if isinstance(f, types.FunctionType)]
        self.code = [(f, f.__code__, f.__defaults__, f.__kwdefaults__) for f in functions]
        quick = ("builtins", "torch.testing", "torch.testing._comparison", "torch.functional")
        self.quick = [o for o in self.owners if getattr(o[0], "__name__", "") in quick]

    def restore(self) -> list[str]:
        """Put everything back; returns the names that were changed."""
        changed = self._names(self.owners)
        for function, code, defaults, keywords in self.code:
            if function.__code__ is not code:
                changed.append(function.__qualname__)
                function.__code__ = code
            function.__defaults__, function.__kwdefaults__ = defaults, keywords
        for name, module in self.modules.items():
            if sys.modules.get(name) is not module:
                sys.modules[name] = module
        return changed

    def restore_quickly(self) -> None:
        """The names that the checks themselves need."""
        self._names(self.quick)

    def _names(self, owners: Kept) -> list[str]:
        changed = []
        for owner, names in owners:
            now = vars(owner)
            for name, value in names.items():
                if now.get(name) is not value and name not in ("modules", "stdin", "stdout", "stderr", "_"):
                    if not name.startswith("__") or isinstance(owner, type):
                        changed.append(f"{getattr(owner, '__name__', owner)}.{name}")
                    _set(owner, name, value)
            if isinstance(owner, type) or owner is builtins:
                for name in now.keys() - names.keys() - {"_"}:
                    changed.append(f"{owner.__name__}.{name}")
                    with contextlib.suppress(AttributeError, TypeError):
                        delattr(owner, name)
        return changed
