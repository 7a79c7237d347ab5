"""Test cells, rewritten so that every check of a task runs, each by itself, and says whether it passed.

A check is an `assert`, or a call with a message (`assert_close(…, msg=…)`). A statement between the checks that
raises an error fails the check after it, and takes away the names that it should have assigned: a later check must
not pass on the values of an earlier one.
"""

import ast
import re
from dataclasses import dataclass


@dataclass
class Check:
    name: str
    hidden: bool


def is_check(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assert):
        return True
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and any(keyword.arg == "msg" for keyword in call.keywords)


def message_of(node: ast.stmt) -> ast.expr | None:
    if isinstance(node, ast.Assert):
        return node.msg
    return next(keyword.value for keyword in node.value.keywords if keyword.arg == "msg")


def static_text(node: ast.expr | None, texts: dict[str, ast.expr]) -> str:
    """The message of a check with … for what is only known when it runs."""
    if isinstance(node, ast.Name):
        node = texts.get(node.id)
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return static_text(node.left, texts) + static_text(node.right, texts)
    return ""


def short_name(text: str) -> str:
    """What a check tests, from its message: `every token has the same weight: expected …, got …` up to the colon."""
    text = re.sub(r"\s+", " ", text)
    for end in (r"[:,;]? (?:but )?(?:got|yours|found|not …) .*$", r"[:,;]? expected .*$", r": .*$"):
        shorter = re.sub(end, "", text)
        if len(re.sub(r"[\W_…]", "", shorter)) > 8:
            text = shorter
    return text.strip(" .:;,")


def targets(node: ast.stmt) -> list[str]:
    """The names that a statement assigns."""
    found = getattr(node, "targets", None) or [getattr(node, "target", None)]
    return [
        name.id for target in found if target is not None for name in ast.walk(target) if isinstance(name, ast.Name)
    ]


def statement(code: str) -> ast.stmt:
    return ast.parse(code).body[0]


class Rewriter:
    """Rewrites the cells of one task. The names of the checks come out in the order of their numbers."""

    def __init__(self, title: str):
        self.title, self.checks, self.texts = title, [], {}

    def rewrite(self, source: str, hidden: bool) -> str:
        tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.texts[node.targets[0].id] = node.value
        self.last = len(self.checks) + sum(is_check(node) for node in self.reached(tree.body)) - 1
        tree.body = self.body(tree.body, hidden)
        return ast.unparse(ast.fix_missing_locations(tree))

    def reached(self, body: list[ast.stmt]):
        """All statements that `body` rewrites."""
        for node in body:
            yield node
            for part in self.parts(node):
                yield from self.reached(getattr(node, part))

    def parts(self, node: ast.stmt) -> list[str]:
        if isinstance(node, ast.For | ast.If | ast.With):
            return [part for part in ("body", "orelse") if getattr(node, part, None)]
        return ["orelse"] if isinstance(node, ast.Try) and node.orelse else []

    def body(self, statements: list[ast.stmt], hidden: bool) -> list[ast.stmt]:
        rewritten = []
        for node in statements:
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Break | ast.Continue):
                rewritten.append(node)
            elif is_check(node):
                rewritten.append(self.check(node, hidden))
            else:
                after = min(len(self.checks), self.last)  # the check that follows
                for part in self.parts(node):
                    setattr(node, part, self.body(getattr(node, part), hidden))
                broke = statement(f"__checks__.broke({after}, __error__, {targets(node)})")
                rewritten.append(self.attempt([node], broke, []))
        return rewritten

    def check(self, node: ast.stmt, hidden: bool) -> ast.stmt:
        number = len(self.checks)
        text = short_name(static_text(message_of(node), self.texts))
        if len(re.sub(r"[\W_…]|expected|got", "", text)) < 3:
            text = f"{self.title.split(':')[0]}, check {number + 1}"
        self.checks.append(Check(text, hidden))
        guard = statement("__checks__.guard()")
        failed, passed = (
            statement(f"__checks__.{way}") for way in (f"failed({number}, __error__)", f"passed({number})")
        )
        return self.attempt([guard, node], failed, [passed])

    def attempt(self, body: list[ast.stmt], failed: ast.stmt, passed: list[ast.stmt]) -> ast.stmt:
        handler = ast.ExceptHandler(ast.Name("BaseException", ast.Load()), "__error__", [failed])
        return ast.Try(body, [handler], passed, [])
