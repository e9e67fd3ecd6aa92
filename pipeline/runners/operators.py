"""What happens to a component's output before it is recorded as complete."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator
from typing import Any

from tfx.orchestration.portable import launcher

from pipeline import file_list
from pipeline.uris import is_uri
from schema import atomic_write


@contextlib.contextmanager
def outputs_kept() -> Iterator[None]:
    """Have each component's output on the disk, and its files written down.

    Else a later run would take from the cache what a loss of power left empty, or
    what somebody who needed room has removed in part.
    """
    operators = launcher.DEFAULT_EXECUTOR_OPERATORS
    stock = dict(operators)
    operators.update({kind: _keeping(operator) for kind, operator in stock.items()})
    try:
        yield
    finally:
        operators.update(stock)


def _keeping(stock: Any) -> Any:
    class Operator(stock):
        def run_executor(self, execution_info: Any, *others: Any) -> Any:
            output = super().run_executor(execution_info, *others)
            for artifacts in execution_info.output_dict.values():
                for artifact in artifacts:
                    _keep(artifact.uri)
            return output

    return Operator


def _keep(uri: str) -> None:
    if is_uri(uri):
        return
    atomic_write.sync(uri)
    folder = pathlib.Path(uri)
    file_list.write(folder, file_list.beside(folder))
    atomic_write.sync_name(uri)
