"""From text to a syntax tree, by Python's own parser used for nothing but parsing."""

from __future__ import annotations

import ast
import decimal

from crmkit.errors import ExpressionError
from crmkit.expressions import syntax
from crmkit.expressions.fields import MISSING
from crmkit.expressions.literals import decimal_literal, text_literal
from crmkit.expressions.source import Source, check_characters

MAX_NODES = 500
MAX_DEPTH = 40

_ARITHMETIC: dict[type[ast.AST], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}
_ORDER: dict[type[ast.AST], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_MEMBERSHIP: dict[type[ast.AST], str] = {ast.In: "in", ast.NotIn: "not in"}


def parse(text: str) -> syntax.Operand:
    """Return the syntax tree of an expression, without asking what its names mean.

    Args:
        text: the expression, at most 2,000 characters, 500 nodes and 40 levels deep.

    Raises:
        ExpressionError: if the text is no expression of the language.
    """
    if not isinstance(text, str):
        raise ExpressionError(f"an expression must be text, not {type(text).__name__}")
    check_characters(text)
    try:
        body = ast.parse(text.strip(" \t\r\n"), mode="eval").body
    except SyntaxError as error:
        raise _not_python(text, error) from None
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise ExpressionError(f"the expression cannot be parsed: {error}", text=text) from None
    source = Source.of(text)
    _check_size(source, body)
    return _Reader(source).operand(body)


def _not_python(text: str, error: SyntaxError) -> ExpressionError:
    source = Source.of(text)
    line, offset = error.lineno or 1, max(error.offset or 1, 1)
    column = min(source.start_of(line) + offset - 1, len(text))
    hint = "; put parentheses around an expression of several lines" if "\n" in text.strip() else ""
    return ExpressionError(
        f"not an expression: {error.msg}, at column {column}{hint}", text=text, column=column
    )


def _check_size(source: Source, body: ast.AST) -> None:
    count, level, depth = 0, [body], 0
    while level:
        depth += 1
        count += len(level)
        if depth > MAX_DEPTH:
            raise ExpressionError(f"the expression is more than {MAX_DEPTH} levels deep", text=source.text)
        if count > MAX_NODES:
            raise ExpressionError(f"the expression has more than {MAX_NODES} parts", text=source.text)
        level = [child for node in level for child in ast.iter_child_nodes(node) if _counts(child)]


def _counts(node: ast.AST) -> bool:
    return isinstance(node, ast.expr | ast.keyword | ast.comprehension | ast.arguments)


class _Reader:
    """Turns Python's nodes into ours, and refuses those of which the language knows nothing."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def operand(self, node: ast.expr) -> syntax.Operand:
        match node:
            case ast.Constant():
                return self.constant(node)
            case ast.Name() | ast.Attribute():
                return syntax.Name(self.dotted(node), self.source.column(node))
            case ast.BoolOp():
                return self.joined(node)
            case ast.Compare():
                return self.comparison(node)
            case ast.UnaryOp():
                return self.unary(node)
            case ast.BinOp():
                return self.arithmetic(node)
            case ast.Call():
                return self.call(node)
            case ast.Tuple() | ast.List() | ast.Set():
                items = tuple(self.operand(item) for item in node.elts)
                return syntax.Items(items, self.source.column(node))
            case _:
                raise self.source.foreign(node, node)

    def constant(self, node: ast.Constant) -> syntax.Literal:
        column, value = self.source.column(node), node.value
        if isinstance(value, str):
            return syntax.Literal(text_literal(value, self.source.text, column), column)
        if isinstance(value, bool | int):
            return syntax.Literal(value, column)
        if isinstance(value, float):
            size = (node.end_col_offset or 0) - node.col_offset
            written = self.source.before_end(node, size).decode()
            return syntax.Literal(decimal_literal(written, self.source.text, column), column)
        if value is None:
            raise self.source.refusal("None is not part of the language (write x is missing)", node)
        shown = "..." if value is ... else repr(value)[:40]
        raise self.source.refusal(
            f"the literal {shown} is not part of the language (use text, a number, True or False)", node
        )

    def dotted(self, node: ast.expr) -> str:
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(self.identifier(node, node.attr))
            node = node.value
        if not isinstance(node, ast.Name):
            raise self.source.foreign_word(
                "an attribute of a value", "only names have dots, such as orders.count", node
            )
        parts.append(self.identifier(node, node.id))
        return ".".join(reversed(parts))

    def identifier(self, node: ast.expr, name: str) -> str:
        # Python folds compatibility characters in identifiers (NFKC): the tree would name what the text does not.
        if not name.isascii() or self.source.before_end(node, len(name)) != name.encode():
            raise self.source.refusal(
                f"the name {name!r} is not written in ASCII letters, digits and _", node
            )
        return name

    def joined(self, node: ast.BoolOp) -> syntax.Joined:
        word = "and" if isinstance(node.op, ast.And) else "or"
        operands = tuple(self.operand(value) for value in node.values)
        return syntax.Joined(word, operands, self.source.column(node))

    def unary(self, node: ast.UnaryOp) -> syntax.Operand:
        column = self.source.column(node)
        if isinstance(node.op, ast.Not):
            return syntax.Negated(self.operand(node.operand), column)
        if not isinstance(node.op, ast.USub):
            raise self.source.foreign(node.op, node)
        operand = self.operand(node.operand)
        if isinstance(operand, syntax.Literal) and type(operand.value) is int:
            return syntax.Literal(-operand.value, column)
        if isinstance(operand, syntax.Literal) and isinstance(operand.value, decimal.Decimal):
            return syntax.Literal(operand.value.copy_negate(), column)
        return syntax.Minus(operand, column)

    def arithmetic(self, node: ast.BinOp) -> syntax.Sum:
        operator = _ARITHMETIC.get(type(node.op))
        if operator is None:
            raise self.source.foreign(node.op, node)
        left, right = self.operand(node.left), self.operand(node.right)
        return syntax.Sum(operator, left, right, self.source.column(node))

    def call(self, node: ast.Call) -> syntax.Invocation:
        if node.keywords:
            raise self.source.refusal("a function takes no keyword arguments", node)
        if not isinstance(node.func, ast.Name):
            raise self.source.refusal("only a function of the table can be called, by its plain name", node)
        name = self.identifier(node.func, node.func.id)
        arguments = tuple(self.operand(argument) for argument in node.args)
        return syntax.Invocation(name, arguments, self.source.column(node))

    def comparison(self, node: ast.Compare) -> syntax.Operand:
        if len(node.ops) == 1 and isinstance(node.ops[0], ast.Is | ast.IsNot):
            return self.absence(node, isinstance(node.ops[0], ast.IsNot))
        names = _ORDER | _MEMBERSHIP if len(node.ops) == 1 else _ORDER
        for operator in node.ops:
            if type(operator) not in names:
                raise self.source.refusal(
                    "in and is cannot stand in a chain; join two conditions with and", node
                )
        sides = [self.operand(side) for side in (node.left, *node.comparators)]
        columns = [self.source.column(side) for side in (node.left, *node.comparators)]
        links = tuple(
            syntax.Comparison(names[type(operator)], sides[at], sides[at + 1], columns[at])
            for at, operator in enumerate(node.ops)
        )
        return links[0] if len(links) == 1 else syntax.Joined("and", links, self.source.column(node))

    def absence(self, node: ast.Compare, negated: bool) -> syntax.Absence:
        if not (isinstance(node.comparators[0], ast.Name) and node.comparators[0].id == MISSING):
            raise self.source.refusal("is and is not stand only before missing; compare with == and !=", node)
        self.identifier(node.comparators[0], MISSING)
        return syntax.Absence(self.operand(node.left), negated, self.source.column(node))
