"""The one exception that means "the user can mend this".

The runners turn it into one sentence and exit code 2.
"""

from __future__ import annotations

import re

from schema.plain_text import escaped


class UserError(Exception):
    """Report bad input or configuration.

    Args:
      message: one sentence that says what was received, what was expected and
        where (file, line or key). What cannot be printed is escaped: names out
        of files may hold line ends, or what steers a terminal.
    """

    def __init__(self, message: str) -> None:
        characters = (it if it.isprintable() else escaped(it) for it in message)
        super().__init__("".join(characters))


class SettingError(UserError, ValueError):
    """Refuse a setting; a ValueError too, which is what pydantic takes from a validator.

    Args:
      message: "key: expected ..., got ..."; pydantic knows where the key stands.
    """


# Beam and TFX re-raise a worker's exception as a RuntimeError that carries the
# formatted traceback; the marker lets the sentence be found again in it.
_REPORTED = re.compile(
    rf"{__name__}\.(?:User|Setting)Error: (.*?)(?: \[while running .*)?$", re.MULTILINE
)


def find_user_error(error: BaseException) -> str | None:
    """Find the sentence of a UserError behind `error`.

    Looks along the chain of causes, and into the text of exceptions that
    carry a worker's traceback.

    Args:
      error: what a pipeline run raised.

    Returns:
      The sentence, or None where the failure is not the user's.
    """
    current: BaseException | None = error
    while current is not None:
        if isinstance(current, UserError):
            return re.sub(r" \[while running .*", "", str(current), flags=re.DOTALL)
        reported = _REPORTED.findall(str(current))
        if reported:
            return str(reported[-1])
        current = current.__cause__ or current.__context__
    return None
