"""Keeps the ports of Beam's workers on this machine to this machine.

With several workers the direct runner speaks to them over gRPC, in threads as in
processes. Beam binds those ports to every interface, asks nobody who they are, and
serves any file of the user's to whoever names it. No option of Beam's changes that.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NoReturn

import grpc
from apache_beam.runners.portability import artifact_service, local_job_service
from apache_beam.runners.portability.fn_api_runner import worker_handlers

_EVERYWHERE, _HERE = "[::]:", "localhost:"


class NoFiles(artifact_service.ArtifactRetrievalService):
    """Serve no artifacts: workers that this process starts have its files before them."""

    def GetArtifact(self, request: Any, context: Any = None) -> NoReturn:
        """Refuse to send a file."""
        raise PermissionError("Workers on this machine need no files of this service.")


class _Instead:
    """Stand for a module in which a few names mean something else."""

    def __init__(self, module: Any, **others: Any) -> None:
        self._module = module
        self.__dict__.update(others)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def _server(*arguments: Any, **settings: Any) -> Any:
    server = grpc.server(*arguments, **settings)
    bind = server.add_insecure_port
    server.add_insecure_port = lambda address: bind(address.replace(_EVERYWHERE, _HERE))
    return server


@contextlib.contextmanager
def on_loopback() -> Iterator[None]:
    """Have the workers that Beam starts meanwhile spoken to over loopback only."""
    own = _Instead(grpc, server=_server)
    no_files = _Instead(artifact_service, ArtifactRetrievalService=NoFiles)
    places = (
        (worker_handlers, "grpc", own),
        (local_job_service, "grpc", own),
        (worker_handlers, "artifact_service", no_files),
    )
    # Fails where Beam has them no longer, before a port is open.
    before = [getattr(module, name) for module, name, _ in places]
    try:
        for module, name, instead in places:
            setattr(module, name, instead)
        yield
    finally:
        for (module, name, _), was in zip(places, before, strict=True):
            setattr(module, name, was)
