"""Faults put into code by cosmic-ray: with them `make exercises` and `make mutants` ask what the tests notice."""

import ast
import re
from collections.abc import Iterator
from difflib import unified_diff

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.number_replacer import NumberReplacer
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator, operator_names
from parso.python.tree import Keyword

# Of one kind of operator, a few replacements say as much as all of them. Of two masks, * is & and + is |.
LEFT_OUT = re.compile(
    r"NoOp|Variable|ReplaceBinaryOperator_\w+_(?:LShift|RShift|BitOr|BitXor|Pow|Mod|FloorDiv)$|_IsNot$|_Is$"
    r"|BitAnd_Mul$|BitOr_Add$"
)
OPERATORS = [get_operator(name)() for name in sorted(operator_names()) if not LEFT_OUT.search(name)]


def mutants(source: str, *more: Operator, numbers: bool = True) -> Iterator[tuple[str, str]]:
    """Each changed source, with the changed line; numbers: whether numbers are changed too. What changes only comments,
    annotations, which arguments have to be named, the arguments of an exception or a zip's `strict` is left out: it changes
    nothing that the code computes."""
    seen, nodes = {meaning(source)}, list(ast_nodes(get_ast(source)))
    for operator in (*OPERATORS, *more):
        if isinstance(operator, NumberReplacer) and not numbers:
            continue
        for occurrence in range(sum(len(list(operator.mutation_positions(node))) for node in nodes)):
            code = mutate_code(source, operator, occurrence)
            try:
                found = meaning(code)
            except SyntaxError:
                continue
            if found not in seen:
                seen.add(found)
                yield _change(source, code), code


def _change(before: str, after: str) -> str:
    """The lines that are new or, if there are only fewer, those that are gone."""
    lines = list(unified_diff(before.splitlines(), after.splitlines(), n=0))[2:]
    new, gone = ([line[1:].strip() for line in lines if line[0] == sign] for sign in "+-")
    return "; ".join(filter(None, new)) or f"without {'; '.join(gone)}"


def meaning(source: str) -> str:
    return ast.dump(_Meaning().visit(ast.parse(source)))


class _Meaning(ast.NodeTransformer):
    """Takes away what does not change what the code computes."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_arguments(self, node: ast.arguments) -> ast.AST:  # only who may name them differs
        node.args = [*node.posonlyargs, *node.args, *node.kwonlyargs]
        node.defaults = [*node.defaults, *filter(None, node.kw_defaults)]
        node.posonlyargs, node.kwonlyargs, node.kw_defaults = [], [], []
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        return node

    def visit_keyword(self, node: ast.keyword) -> ast.AST | None:
        return None if node.arg == "strict" else self.generic_visit(node)


class CallRemover(Operator):
    """`optimizer.zero_grad()` as a statement: nothing happens."""

    def mutation_positions(self, node):
        if node.type == "simple_stmt" and node.children[0].type == "atom_expr":
            yield node.start_pos, node.end_pos

    def mutate(self, node, index):
        call = node.children[0]
        gone = " ".join(call.get_code(include_prefix=False).split())
        node.children[0] = Keyword(f"pass  # {gone}", call.start_pos, call.get_first_leaf().prefix)
        return node

    @classmethod
    def examples(cls):
        return ()


class KeywordRemover(Operator):
    """`attention(x, mask=mask)`: the function's default takes the place of a keyword argument."""

    def mutation_positions(self, node):
        if node.type in ("arglist", "trailer"):
            yield from ((a.start_pos, a.end_pos) for a in self._keywords(node))

    def mutate(self, node, index):
        argument = self._keywords(node)[index]
        place = node.children.index(argument)
        if node.type == "arglist":  # with the comma after it, or before it
            after = place + 1 < len(node.children)
            del node.children[place if after else place - 1 : place + 2 if after else place + 1]
        else:
            del node.children[place]
        return node

    @staticmethod
    def _keywords(node) -> list:
        return [a for a in node.children if a.type == "argument" and a.children[1] == "="]

    @classmethod
    def examples(cls):
        return ()
