"""The project's sources as tests read them: files, and what each imports."""

import ast

from tests.support import wheel

ROOT = wheel.ROOT
# Packages, and modules beside them.
PACKAGES = (*wheel.PACKAGES, *(name.removesuffix(".py") for name in wheel.MODULES))


def sources(package):
    folder = ROOT / package
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [ROOT / f"{package}.py"]


def every_source():
    return [path for package in PACKAGES for path in sources(package)]


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def relative(path):
    return path.relative_to(ROOT).as_posix()
