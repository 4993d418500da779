"""Options that take one of a few words: typer refuses any other one, in the person's language, before anything is opened."""

from __future__ import annotations

from collections.abc import Callable

from geo.errors import RefusedArgument


def one_of(field: str, *words: str) -> Callable[[str], str]:
    """A `parser` for an option or argument typed `Literal[words]`. It raises RefusedArgument (exit 2) for another word.

    >>> one_of("cells", "auto", "square")("square")
    'square'
    """

    def read(given: str) -> str:
        if given in words:
            return given
        raise RefusedArgument(
            f"{field}：未知的取值 {given}。", f"{field}: unknown word {given!r}.", field=field,
            do_zh=f"请用 {'、'.join(words)} 之一。", do_en=f"Use one of {', '.join(words)}.",
        )  # fmt: skip

    return read
