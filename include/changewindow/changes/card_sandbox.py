"""Runs the templates of messages: they read a card and nothing else, and what a ticket says stays a value."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from jinja2 import FileSystemLoader, StrictUndefined, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from changewindow.changes.card_markup import as_json, in_blocks, in_text

Form = Literal["txt", "json"]
FILTERS = {
    *("abs", "batch", "capitalize", "count", "d", "default", "first", "float", "groupby", "int", "last", "length"),
    *("list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "round", "select", "selectattr"),
    *("slice", "sort", "title", "trim", "unique", "upper"),
}
"""What a template may do with a value; none of them declares it safe."""


class _Generator(CodeGenerator):
    """Makes Python of a template, but for what would join values before they are escaped."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802  so it is called
        """Refuse it."""
        self.fail("`~` is not known here: write one value after the other, as {{ a }}{{ b }}", node.lineno)


class _Sandbox(ImmutableSandboxedEnvironment):
    """Lets nothing be done to what is escaped already but show it."""

    code_generator_class = _Generator
    intercepted_binops = frozenset({"+", "%", "*"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Calculate, with values that are not escaped yet."""
        if isinstance(left, Markup) or isinstance(right, Markup):
            raise SecurityError(f"`{operator}` joins what is escaped with what is not: write one after the other")
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Return whether a template may use it."""
        return not isinstance(obj, Markup) and super().is_safe_attribute(obj, attr, value)


@lru_cache(maxsize=64)
def environment(folders: tuple[Path, ...], form: Form) -> _Sandbox:
    """Return what renders the templates of a form from the first of the folders that has them."""
    escape, sign = (in_blocks, as_json) if form == "json" else (in_text, Markup)
    made = _Sandbox(
        loader=FileSystemLoader(folders),
        autoescape=True,  # so that what a macro returns is known to be escaped
        finalize=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        cache_size=100,
    )
    made.filters = {name: made.filters[name] for name in FILTERS}
    made.filters["join"] = _joined(escape, sign)
    return made


def _joined(escape: Callable[[Any], Markup], sign: Callable[[str], Markup]) -> Callable[..., Markup]:
    def join(values: Iterable[Any], between: str = "") -> Markup:
        return sign(between).join(map(escape, values))

    return join
