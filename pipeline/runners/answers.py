"""What a cluster's back end answers where it does not do what it is asked, in one sentence."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from pipeline.backend import KFP
from schema.errors import UserError

# The clients' exceptions by name: their packages need not be here.
_NO_CREDENTIALS = {"DefaultCredentialsError", "RefreshError"}
_NO_ANSWER = {"MaxRetryError", "ConnectionError", "LocationValueError", "TransportError"}


@contextlib.contextmanager
def reached(target: str, host: str | None) -> Iterator[None]:
    """Tell in one sentence why a back end does not answer; the clients' words fill pages.

    Args:
      target: VERTEX or KFP.
      host: of the Kubeflow Pipelines server; None for VERTEX.

    Raises:
      UserError: no server answers, or none that lets us in.
    """
    where = host if target == KFP else "Vertex AI"
    try:
        yield
    except Exception as error:
        names = {kind.__name__ for kind in type(error).__mro__}
        if names & _NO_CREDENTIALS:
            raise UserError(
                "found no Google credentials that work; run `gcloud auth application-default "
                "login`, or name a key file in GOOGLE_APPLICATION_CREDENTIALS."
            ) from error
        if "ApiException" in names and getattr(error, "status", None):
            answer = f"{error.status} {error.reason}"  # type: ignore[attr-defined]
            raise UserError(
                f"{where}: expected a Kubeflow Pipelines server that lets us in, it answered "
                f"{answer}; KFP_TOKEN or KFP_COOKIES may be wanted."
            ) from error
        if names & _NO_ANSWER:
            raise UserError(f"{where}: no server answers there.") from error
        raise
