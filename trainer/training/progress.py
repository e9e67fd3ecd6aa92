"""What a person sees of a training: a moving bar and a line an epoch.

It goes to standard error, so that piped output stays clean.
"""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar


class Progress:
    """Show the progress of one training, as a context manager.

    Args:
      label: what is being trained.
      epochs: how many epochs at the most.
    """

    def __init__(self, label: str, epochs: int) -> None:
        self._console = Console(file=sys.stderr)
        self._bar = Bar(
            TextColumn("  {task.description}"),
            BarColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._label = label
        self._epochs = epochs
        self._task = self._bar.add_task(label, total=epochs)

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def advance(self, epoch: int, fraction: float, loss: float) -> None:
        """Move the bar.

        Args:
          epoch: the running epoch, from 1.
          fraction: share of it that is done.
          loss: the latest training loss.
        """
        description = f"{self._label} epoch {epoch}/{self._epochs} loss {loss:.4f}"
        self._bar.update(self._task, completed=epoch - 1 + fraction, description=description)

    def line(self, text: str) -> None:
        """Print a line above the bar.

        Args:
          text: the line.
        """
        self._console.print(f"  {text}", highlight=False, markup=False, soft_wrap=True)
