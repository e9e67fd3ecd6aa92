"""URIs: what can be reached from here, and how it is written.

Beam and TensorFlow read and write artifacts through clients of their own, so a
scheme must be known to both.
"""

from __future__ import annotations

from schema.errors import UserError


def is_uri(path: str) -> bool:
    """Tell whether a path begins with a scheme, such as gs://bucket/folder.

    Args:
      path: a path of this machine, or a URI.

    Returns:
      Whether it is a URI; file:// counts as one.
    """
    return "://" in path


def check_known(path: str) -> None:
    """Check that the libraries here have a file system for a URI; load them for one.

    Args:
      path: a path of this machine, which is always fine, or a URI.

    Raises:
      UserError: TensorFlow or Beam has none, or there is nothing after the scheme.
    """
    if not is_uri(path):
        return
    import tensorflow as tf
    from apache_beam.io.filesystems import FileSystems

    scheme, _, rest = path.partition("://")
    if not rest.strip("/"):
        raise UserError(f"{path}: expected {scheme}://bucket/folder.")
    known = sorted(name for name in tf.io.gfile.get_registered_schemes() if name)
    if scheme not in known:
        raise UserError(
            f"{path}: TensorFlow knows no {scheme}:// here, expected one of {', '.join(known)}."
        )
    try:
        FileSystems.get_filesystem(path)
    except ValueError:
        raise UserError(
            f"{path}: Beam knows no {scheme}:// here, expected what both it and TensorFlow know, "
            "such as gs://."
        ) from None


def check_writable(uri: str) -> None:
    """Make a folder behind a URI.

    Args:
      uri: of the folder.

    Raises:
      UserError: it cannot be made.
    """
    import tensorflow as tf

    try:
        tf.io.gfile.makedirs(uri)
    except tf.errors.OpError as error:
        reason = " ".join(error.message.split())[:200]
        raise UserError(f"{uri}: cannot write there ({reason}).") from None
