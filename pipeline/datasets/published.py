"""Published MovieLens data by name, and generated data: obtained once, verified, cached.

GroupLens asks for its licences to be read: a README lies in every archive.
"""

from __future__ import annotations

import dataclasses
import pathlib
import subprocess
import sys
import tempfile

import filelock
import platformdirs
from rich.console import Console
from rich.progress import Progress

from pipeline import file_list
from pipeline.datasets import archive, synthetic_config
from pipeline.datasets.download import Checksum, fetch
from schema import atomic_write
from schema.errors import UserError
from schema.plain_text import printable
from schema.settings import check_choice

# In the folder of a data set, whose files it lists: without it not all of them may be there.
# Layouts pass over hidden files.
MARK = ".complete.json"
GROUPLENS = "https://files.grouplens.org/datasets/movielens"

# Sizes and SHA-256 of the archives that GroupLens serves.
ARCHIVES = {
    "ml-100k": Checksum(
        "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229", 4924029
    ),
    "ml-1m": Checksum("a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20", 5917549),
    "ml-10m": Checksum(
        "813c411ccb6122564edfe752e7f80c4dcc5aa25fa94c93622f6877a7ba252862", 65566137
    ),
    "ml-20m": Checksum(
        "96f243c338a8665f6bcc89c53edf6ee39162a846940de6b7c8c48aeada765ff3", 198702078
    ),
    "ml-25m": Checksum(
        "8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa", 261978986
    ),
    "ml-32m": Checksum(
        "e4a68655d7386b8f95f2f2424b2ff975dfdd15ffd59e0d864a14dca43e99d6ee", 238950008
    ),
    "ml-latest-small": Checksum(
        "696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436", 978202
    ),
}


@dataclasses.dataclass(frozen=True)
class _Wheel:
    """Describe a package on PyPI that holds a dataset.

    Attributes:
      requirement: exactly one version.
      sha256: of the wheel file; pip refuses any other.
      prefix: beginning of the data files' names inside.
      suffixes: their endings.
    """

    requirement: str
    sha256: str
    prefix: str
    suffixes: tuple[str, ...]

    def holds(self, member: str) -> bool:
        """Tell whether a member of the wheel is one of the data files."""
        return member.startswith(self.prefix) and member.endswith(self.suffixes)


_WHEELS = {
    "ml-100k": _Wheel(
        requirement="recbole==1.2.1",
        sha256="9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
        prefix="recbole/dataset_example/ml-100k/",
        suffixes=(".inter", ".user", ".item"),
    )
}


def obtain(
    name: str,
    cache_dir: str | None = None,
    console: Console | None = None,
    server: str = GROUPLENS,
) -> str:
    """Make a dataset available, from the cache when it was here before.

    Args:
      name: one of ARCHIVES; or what is to be generated, as
        pipeline.datasets.synthetic_config.parse reads it.
      cache_dir: where datasets are kept; the user's cache folder when None.
      console: where progress and the source are told; standard error when None.
      server: the address that holds `<name>.zip`.

    Returns:
      The folder with the raw files.

    Raises:
      UserError: unknown name, parameters that cannot be, nothing reachable, a
        file that does not verify, or a cache folder that cannot be written.
    """
    generated = None
    if name.startswith(synthetic_config.PREFIX):
        generated = synthetic_config.parse(name)
        name = generated.name
    else:
        check_choice("dataset", name, tuple(ARCHIVES))
    console = console or Console(stderr=True)
    root = pathlib.Path(cache_dir or platformdirs.user_cache_dir("movielens-tfx")) / "datasets"
    try:
        root.mkdir(parents=True, exist_ok=True)
        folder = _cached(name, root)
        if folder is None:
            with filelock.FileLock(root / f".{name}.lock"):
                folder = _cached(name, root)
                if folder is None:
                    _sweep(name, root)
                if folder is None and generated is not None:
                    folder = _generate(generated, root / name, console)
                folder = folder or _obtain(name, root, console, server)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"{error.filename or root}: cannot keep the dataset ({reason}).") from None
    return str(folder)


def _places(name: str, root: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """Name the folders of the official archive and of the copy from a wheel."""
    return root / name, root / f"{name}-recbole"


def _cached(name: str, root: pathlib.Path) -> pathlib.Path | None:
    return next(
        (folder for folder in _places(name, root) if file_list.lost(folder, folder / MARK) == []),
        None,
    )


def _sweep(name: str, root: pathlib.Path) -> None:
    """Remove the scratch folders of calls that were killed; the lock says that none is at work."""
    for folder in root.glob(f".{name}-*"):
        if folder.is_dir():
            atomic_write.remove_folder(str(folder))


def _generate(
    config: synthetic_config.SyntheticConfig, folder: pathlib.Path, console: Console
) -> pathlib.Path:
    """Generate a dataset; `folder` appears whole or not at all."""
    # NumPy and Arrow are of no use to those who only download.
    from pipeline.datasets import synthetic

    with (
        atomic_write.folder(str(folder)) as unfinished,
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task(folder.name, total=config.interactions)
        written = pathlib.Path(unfinished)
        written.mkdir()
        synthetic.write(config, written, lambda count: progress.advance(task, count))
        file_list.write(written, written / MARK)
    _tell(console, f"{folder.name}: generated from {config.text}")
    return folder


def _obtain(name: str, root: pathlib.Path, console: Console, server: str) -> pathlib.Path:
    official, copy = _places(name, root)
    url = f"{server}/{name}.zip"
    try:
        _from_archive(name, url, official, console)
    except UserError as error:
        if name not in _WHEELS:
            raise
        wheel = _WHEELS[name]
        try:
            _from_wheel(wheel, copy)
        except UserError as second:
            raise UserError(f"{str(error).rstrip('.')}; and {second}") from None
        _tell(
            console,
            f"{name}: from the PyPI wheel {wheel.requirement}, as {str(error).rstrip('.')}",
        )
        return copy
    _tell(console, f"{name}: from {url}")
    return official


def _tell(console: Console, text: str) -> None:
    console.print(printable(text), soft_wrap=True, highlight=False, markup=False, emoji=False)


def _from_archive(name: str, url: str, folder: pathlib.Path, console: Console) -> None:
    """Fetch and unpack an archive; `folder` appears whole or not at all."""
    packed = folder.with_name(f"{name}.zip")
    if packed.exists():
        # Left by a call that was killed, or put there by hand.
        try:
            ARCHIVES[name].verify(packed, str(packed))
        except UserError as error:
            _tell(console, f"{str(error).rstrip('.')}; fetching it again")
            packed.unlink()
    if not packed.exists():
        fetch(url, packed, ARCHIVES[name], console)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}-") as scratch:
        unpacked = pathlib.Path(scratch) / "unpacked"
        archive.extract(packed, unpacked)
        tops = list(unpacked.iterdir())
        # ml-10m.zip unpacks as ml-10M100K: the name in the archive is not ours.
        found = tops[0] if len(tops) == 1 and tops[0].is_dir() else unpacked
        file_list.write(found, found / MARK)
        atomic_write.move_folder(str(found), str(folder))
    packed.unlink()


def _from_wheel(wheel: _Wheel, folder: pathlib.Path) -> None:
    """Fetch a wheel with pip, which checks its hash, and unpack the data in it."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        here = pathlib.Path(scratch)
        requirements = here / "requirements.txt"
        requirements.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--only-binary=:all:", "--require-hashes"]
        command += ["--retries=1", f"--dest={here}", f"--requirement={requirements}"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(here.glob("*.whl"))
        if result.returncode != 0 or len(wheels) != 1:
            lines = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
            reason = lines[-1].removeprefix("ERROR: ").rstrip(".") if lines else "pip failed"
            raise UserError(f"{wheel.requirement} cannot be fetched from PyPI ({reason}).")
        unpacked = here / "unpacked"
        archive.extract(wheels[0], unpacked, wheel.holds)
        found = unpacked / wheel.prefix
        file_list.write(found, found / MARK)
        atomic_write.move_folder(str(found), str(folder))
