"""The text of an expression: what may stand in it, where things stand, and what of Python is foreign to it."""

from __future__ import annotations

import ast

import attrs

from crmkit.errors import ExpressionError

MAX_LENGTH = 2_000

_WORDS: dict[type[ast.AST], tuple[str, str]] = {
    ast.Div: ("/", "multiply the other side instead: a / b > c is a > c * b where b is positive"),
    ast.FloorDiv: ("//", "multiply the other side instead"),
    ast.Pow: ("**", "write the product out"),
    ast.Mod: ("%", "use + - *"),
    ast.MatMult: ("@", "use + - *"),
    ast.BitAnd: ("&", "use and"),
    ast.BitOr: ("|", "use or"),
    ast.BitXor: ("^", "use and, or, not"),
    ast.LShift: ("<<", "use + - *"),
    ast.RShift: (">>", "use + - *"),
    ast.Invert: ("~", "use not"),
    ast.UAdd: ("a unary +", "leave it out"),
    ast.Lambda: ("lambda", "use conditions joined by and, or, not"),
    ast.IfExp: ("if ... else", "use conditions joined by and, or, not"),
    ast.NamedExpr: (":=", "compare with =="),
    ast.ListComp: ("a comprehension", "write the items out"),
    ast.SetComp: ("a comprehension", "write the items out"),
    ast.DictComp: ("a comprehension", "write the items out"),
    ast.GeneratorExp: ("a comprehension", "write the items out"),
    ast.JoinedStr: ("an f-string", "use a plain text literal"),
    ast.Await: ("await", "name a field"),
    ast.Yield: ("yield", "name a field"),
    ast.YieldFrom: ("yield", "name a field"),
    ast.Subscript: ("[...] after a value", "name a field, such as orders.count"),
    ast.Slice: ("a slice", "name a field"),
    ast.Attribute: ("an attribute of a value", "only names have dots, such as orders.count"),
    ast.Starred: ("*", "write the items out"),
    ast.Dict: ("a dict", "use a tuple after in"),
}


def check_characters(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"the expression has {len(text)} characters, at most {MAX_LENGTH} are allowed")
    if not text.strip():
        raise ExpressionError(
            "the expression is empty; write a condition, such as orders.count >= 3", text=text
        )
    escaped = False
    for column, char in enumerate(text):
        if (char < " " and char not in "\t\r\n") or "\ud800" <= char <= "\udfff" or char == "\x7f":
            raise ExpressionError(
                f"the character {char!a} cannot stand in an expression, at column {column}",
                text=text,
                column=column,
            )
        if escaped and char not in "\\'\"nrtxuU":
            # Python itself only warns of unknown escapes, and a warning is nothing to a caller.
            raise ExpressionError(
                f"the escape \\{char} is not known, at column {column - 1}; write \\\\ for a backslash",
                text=text,
                column=column - 1,
            )
        escaped = char == "\\" and not escaped


@attrs.frozen
class Source:
    text: str
    lead: int
    lines: list[bytes]

    @classmethod
    def of(cls, text: str) -> Source:
        stripped = text.strip(" \t\r\n")
        return cls(text, len(text) - len(text.lstrip(" \t\r\n")), stripped.encode().splitlines(keepends=True))

    def start_of(self, line: int) -> int:
        return self.lead + sum(len(part.decode()) for part in self.lines[: line - 1])

    def column(self, node: ast.expr) -> int:
        return self.start_of(node.lineno) + len(self.lines[node.lineno - 1][: node.col_offset].decode())

    def before_end(self, node: ast.expr, size: int) -> bytes:
        """Return the last `size` bytes of the node's text."""
        end = node.end_col_offset or 0
        return self.lines[(node.end_lineno or 1) - 1][max(end - size, 0) : end]

    def refusal(self, message: str, node: ast.expr) -> ExpressionError:
        column = self.column(node)
        return ExpressionError(f"{message}, at column {column}", text=self.text, column=column)

    def foreign(self, what: ast.AST, node: ast.expr) -> ExpressionError:
        default = (type(what).__name__, "see the reference of expressions")
        return self.foreign_word(*_WORDS.get(type(what), default), node)

    def foreign_word(self, word: str, instead: str, node: ast.expr) -> ExpressionError:
        return self.refusal(f"{word} is not part of the language ({instead})", node)
