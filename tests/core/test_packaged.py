"""Recipes that come with cnnlab, wherever a recipe's file may stand."""

from pathlib import Path

import pytest

from cnnlab.core import yaml
from cnnlab.core.errors import UsageError
from cnnlab.core.packaged import introduction, packaged, packaged_recipe, recipe_file
from cnnlab.studies.study_file import read_study
from cnnlab.training import Recipe

QUESTION = {"question": "Which rate?", "vary": {"optimizer.lr": [0.1, 0.2]}}


def test_a_recipe_is_read_by_its_name_as_from_its_file() -> None:
    named = Recipe.read("recipe:mnist", seed=3)
    assert named == Recipe.read(packaged_recipe("mnist"), seed=3)
    assert named.epochs == 10 and named.seed == 3


def test_the_base_of_a_study_may_be_one(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(yaml.dump({**QUESTION, "base": "recipe:fashion-mnist"}))
    in_python = read_study({**QUESTION, "base": "recipe:fashion-mnist"})
    on_a_line = read_study({**QUESTION, "base": {"data": "digits"}}, {"base": "recipe:fashion-mnist"})
    assert read_study(file).base == in_python.base == on_a_line.base
    assert in_python.base["data"] == "fashion-mnist" and in_python.base["epochs"] == 15


@pytest.mark.parametrize("name", ["recipe:mnits", "recipe:../mnist", "recipe:", "recipe:/etc/passwd"])
def test_a_name_that_none_has_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(UsageError, match=r"comes with cnnlab\. .*mnist"):
        Recipe.read(name)


def test_who_looks_for_a_file_of_that_name_is_told_of_the_one_that_comes_along() -> None:
    with pytest.raises(UsageError, match="The one that comes with cnnlab is recipe:clocks"):
        recipe_file("recipes/clocks.yaml")
    with pytest.raises(UsageError, match=r"there is no recipe file mine\.yaml\. Give a YAML file"):
        recipe_file("mine.yaml")


@pytest.mark.parametrize("kind", ["recipe", "study"])
def test_all_are_in_the_package_and_their_names_are_paths_by_slashes(kind: str) -> None:
    files = packaged(kind)  # type: ignore[arg-type]
    assert files
    for name, path in files.items():
        assert path.as_posix().endswith(f"/{name}.yaml") and "cnnlab" in path.parts


def test_what_a_recipe_is_for_stands_at_its_head(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("# One line\n# and another.\ndata: digits\n# Not this.\n")
    assert introduction(tmp_path / "a.yaml") == "One line and another."
    assert all(introduction(path) for path in packaged("recipe").values())
