"""What a task forbids, and what a person should look at: found in the text of the student's code, without running it."""

import ast

from course.assignment import Task
from course.matching import parses, python

# Names that a solution of these assignments never needs, and what they are for.
STRANGE = {
    "looks at the tests' variables": {"_getframe", "currentframe", "stack", "getouterframes", "f_globals", "f_locals", "f_back", "__globals__", "tb_frame", "gi_frame", "_current_frames", "__checks__"},
    "looks through Python's memory": {"get_objects", "get_referrers", "get_referents", "ctypes"},
    "reads or deletes files": {"open", "rmtree", "unlink", "listdir", "walk", "glob", "read_text", "write_text", "shutil"},
    "starts processes": {"fork", "subprocess", "system", "popen", "Popen", "multiprocessing", "kill", "_exit"},
    "uses the network": {"socket", "urllib", "requests", "urlopen"},
    "runs text as code": {"exec", "eval", "__import__", "compile"},
    "replaces parts of Python or torch": {"settrace", "setprofile", "builtins"},
}  # fmt: skip


def names_in(node: ast.AST) -> set[str]:
    """All names, attributes and modules that a piece of code mentions."""
    found = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            found.add(part.id)
        elif isinstance(part, ast.Attribute):
            found.add(part.attr)
        elif isinstance(part, ast.alias):
            found.update(part.name.split("."))
        elif isinstance(part, ast.ImportFrom):
            found.update((part.module or "").split("."))
        elif isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value.isidentifier():
            found.add(part.value)  # getattr(F, "cross_entropy")
    return found


def called_in(node: ast.AST) -> set[str]:
    """What is called by its bare name."""
    return {c.func.id for c in ast.walk(node) if isinstance(c, ast.Call) and isinstance(c.func, ast.Name)}


def tree(source: str) -> ast.Module:
    """The parts of the code that can be read."""
    source = python(source)
    return ast.parse(source) if parses(source) else ast.Module([], [])


def used_by(functions: list[str], sources: list[str]) -> list[ast.stmt]:
    """The definitions that these functions use, directly or through others."""
    defined = {}
    for source in sources:
        for node in tree(source).body:
            names = [node.name] if isinstance(node, ast.FunctionDef | ast.ClassDef) else []
            names += [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
            names += [
                (a.asname or a.name).split(".")[0] for a in getattr(node, "names", []) if isinstance(a, ast.alias)
            ]
            for name in names:
                defined.setdefault(name, []).append(node)
    reached, todo, nodes = set(), list(functions), []
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            for node in defined.get(name, []):
                nodes.append(node)
                todo += names_in(node)
    return nodes


def broken_rule(task: Task, sources: list[str]) -> str:
    """The rule of the task that the code breaks, in words, or nothing."""
    nodes = used_by(task.functions, sources)
    for verb, name in task.forbidden:
        seen = set().union(*(names_in(node) if verb == "use" else called_in(node) for node in nodes), set())
        if name in seen:
            return f"the task says: do not {verb} `{name}`{' itself' if verb == 'call' else ''}"
    return ""


def strange(source: str) -> list[str]:
    """What the code mentions that a solution doesn't need. A hint, and no verdict."""
    seen = names_in(tree(source))
    return [f"{what} (`{'`, `'.join(sorted(seen & names))}`)" for what, names in STRANGE.items() if seen & names]
