"""Imports that wait, and say in one sentence when they cannot be had."""

import ast
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

from cnnlab.core.errors import UsageError
from cnnlab.core.lazy_imports import require


def test_installed_module_is_returned() -> None:
    assert require("json", "reading").loads("1") == 1


def test_missing_module_is_told_with_its_purpose_and_command() -> None:
    with pytest.raises(UsageError) as caught:
        require("no_such_module", "reading HDF5 files")
    assert str(caught.value) == (
        "reading HDF5 files needs no_such_module, which did not load (No module named 'no_such_module'). "
        "Install it: pip install 'cnnlab[no_such_module]'"
    )


@pytest.mark.parametrize(
    "content",
    ["import no_such_part", "raise RuntimeError('built for\\nanother torch.')", "None.x", "raise OSError('lib')"],
)
def test_module_that_fails_to_load_is_told_in_one_line(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mismatched_package.py").write_text(content)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match=r"drawing needs mismatched_package, which did not load \(") as caught:
        require("mismatched_package", "drawing", extra="figures")
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("pip install 'cnnlab[figures]'")


LAZY = """
from cnnlab.core.lazy_imports import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, {"inner": ("thing", "other")})
"""


def test_a_lazy_name_is_imported_when_it_is_first_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a_lazy_package"
    folder.mkdir()
    (folder / "__init__.py").write_text(LAZY)
    (folder / "inner.py").write_text("thing, other = object(), 2\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    package = import_module("a_lazy_package")
    assert package.__all__ == ["other", "thing"] and {"other", "thing"} <= set(dir(package))
    assert "a_lazy_package.inner" not in sys.modules and "thing" not in vars(package)
    assert package.thing is sys.modules["a_lazy_package.inner"].thing is vars(package)["thing"]
    with pytest.raises(AttributeError, match=r"module 'a_lazy_package' has no attribute 'thin'"):
        _ = package.thin


@pytest.mark.parametrize("name", ["cnnlab", "cnnlab.data", "cnnlab.evaluation", "cnnlab.studies", "cnnlab.training"])
def test_lazy_names_are_those_that_type_checkers_see(name: str) -> None:
    package = import_module(name)
    tree = ast.parse(Path(str(package.__file__)).read_text("utf-8"))
    imports = [node for block in tree.body if isinstance(block, ast.If) for node in block.body]
    seen = {alias.name: node.module for node in imports if isinstance(node, ast.ImportFrom) for alias in node.names}
    # Importing a module makes it an attribute of its package, which a name called the same would then be: a function
    # that is called as its room is, such as transfer, is what calling the room does.
    rooms = {module.name for module in iter_modules(package.__path__)}
    assert all(callable(getattr(package, name)) for name in rooms & set(seen))
    seen = {name: home for name, home in seen.items() if name not in rooms}
    assert sorted(seen) == package.__all__ and not rooms & set(package.__all__)
    assert all(getattr(package, each) is getattr(import_module(str(home)), each) for each, home in seen.items())
