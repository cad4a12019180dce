import json
import subprocess
import sys

import pytest

import cnnlab

HEAVY = ("torch", "matplotlib", "pandas", "numpy", "rich", "typer", "pydantic")


def _loaded_by(statement: str) -> set[str]:
    program = f"import sys, json; {statement}; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(answer.stdout))


def test_importing_cnnlab_loads_nothing_heavy() -> None:
    assert _loaded_by("import cnnlab") == set()


def test_the_test_of_what_is_loaded_sees_what_is_loaded() -> None:
    assert _loaded_by("import numpy") == {"numpy"}


def test_asking_for_the_version_or_an_error_loads_nothing_heavy() -> None:
    assert _loaded_by("import cnnlab; cnnlab.__version__; cnnlab.CnnlabError") == set()


@pytest.mark.parametrize("name", cnnlab.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(cnnlab, name) is not None
    assert name in dir(cnnlab)


def test_a_name_is_the_same_object_in_its_room() -> None:
    from cnnlab import data, runs, training

    assert cnnlab.train is training.train
    assert cnnlab.load_data is data.load_data
    assert cnnlab.Run is runs.Run


def test_version_is_that_of_the_installation() -> None:
    from importlib.metadata import version

    assert cnnlab.__version__ == version("cnnlab")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="tarin"):
        _ = cnnlab.tarin


def test_dir_names_what_is_public_and_the_rooms_that_people_use() -> None:
    named = {name for name in dir(cnnlab) if not name.startswith("__")}
    rooms = {
        "attacks",
        "augment",
        "data",
        "evaluation",
        "explain",
        "export",
        "models",
        "objectives",
        "reports",
        "runs",
        "serving",
        "sklearn",
        "studies",
        "training",
        "transfer",
    }
    assert named == {*cnnlab.__all__, *rooms} - {"__version__"}
    assert _loaded_by("import cnnlab; dir(cnnlab)") == set()


def test_a_room_is_there_without_being_imported() -> None:
    assert "torch" in _loaded_by("import cnnlab; cnnlab.sklearn.ImageClassifier")
