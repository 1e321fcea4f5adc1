"""Imports modules with nothing but some packages to be found: `python isolated_import.py PACKAGE,… MODULE…`.

`module.*` stands for a package and all below it. What is already imported by a `.pth` file is forgotten first.
"""

import importlib
import importlib.metadata
import pkgutil
import re
import sys
from collections.abc import Iterator, Mapping, Sequence


class Absent:
    """Finds nothing, loudly, for modules that packages outside the image would give."""

    def __init__(self, owners: Mapping[str, Sequence[str]], allowed: frozenset[str]) -> None:
        self._absent = {top for top, packages in owners.items() if not {normal(package) for package in packages} & allowed}

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Raises ModuleNotFoundError, as where the package is not installed."""
        if name.partition(".")[0] in self._absent:
            raise ModuleNotFoundError(f"{name} is not in the image", name=name)


def normal(package: str) -> str:
    """As locks spell it."""
    return re.sub(r"[-_.]+", "-", package).lower()


def below(package: str) -> Iterator[str]:
    """Every module below a package, but for those that run something."""
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        if not module.name.endswith("__main__"):
            yield module.name


def main(packages: str, *modules: str) -> None:
    """Imports the modules, with the packages alone. Raises ImportError."""
    ours = {"api", "worker", "migrations"}
    owners = {top: names for top, names in importlib.metadata.packages_distributions().items() if top not in ours | sys.stdlib_module_names}
    for name in [name for name in sys.modules if name.partition(".")[0] in owners]:
        del sys.modules[name]
    sys.meta_path.insert(0, Absent(owners, frozenset(packages.split(","))))
    for name in modules:
        for module in below(name[:-2]) if name.endswith(".*") else [name]:
            importlib.import_module(module)


if __name__ == "__main__":
    main(*sys.argv[1:])
