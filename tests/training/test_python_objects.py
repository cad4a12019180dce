from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cnnlab.core import given_objects
from cnnlab.core.errors import CnnlabError, CnnlabWarning, UsageError
from cnnlab.core.seeds import scope
from cnnlab.data import TensorImages, from_arrays
from cnnlab.models import check_network, classifier_files
from cnnlab.runs import Run
from cnnlab.training import Interrupted, Recipe, extend, find_lr, resume, train
from cnnlab.training.python_objects import extract_objects

Trained = Callable[..., Run]
Cut = Callable[..., tuple[Run, Interrupted]]

WHOLE = {"subset": None, "validation": None, "test": None}


class Net(nn.Module):
    def __init__(self, units: int = 8) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, units), nn.Tanh(), nn.Dropout(0.2))
        self.out = nn.Linear(units, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.body(x))


class Doubled(Net):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


class Pairs(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """A torch data set of grey pictures as floats."""

    classes = ("dark", "middling", "bright")

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.x, self.y = torch.from_numpy(x).float() / 255, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.x[index][None], int(self.y[index])


def net(units: int = 8, seed: int = 0, kind: type[Net] = Net) -> Net:
    with scope(seed, "net"):
        return kind(units)


def squares(count: int = 90, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Grey pictures of three classes: dark, middling, bright."""
    y = np.arange(count) % 3
    noise = np.random.default_rng(seed).integers(0, 80, (count, 6, 6))
    return (noise + 80 * y[:, None, None]).astype(np.uint8), y


def weights(run: Run, network: nn.Module | None = None) -> dict[str, Tensor]:
    return run.classifier(network).network.state_dict()


# Data


def forms(x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    return {
        "arrays": (x, y),
        "list": [x, y],
        "channels": (x[..., None], y),
        "floats": (x / 255, y),
        "tensors": (torch.from_numpy(x)[:, None], torch.from_numpy(y)),
        "data set": from_arrays(x, y, validation=0, test=0),
        "image set": TensorImages(
            torch.from_numpy(x)[:, None], {"label": torch.from_numpy(y)}, {"label": ("0", "1", "2")}
        ),
    }


@pytest.mark.parametrize("form", forms(*squares()))
def test_images_come_in_many_forms_and_mean_the_same_run(form: str, small_run: Trained) -> None:
    run = small_run(data=forms(*squares())[form], **WHOLE)
    assert small_run(data=squares(), **WHOLE) == run
    assert run.info["data"]["sizes"] == {"train": 65, "validation": 7, "test": 18}
    assert run.folder.name.startswith("arrays-conv-")


def test_a_torch_data_set_is_read_with_its_class_names(small_run: Trained) -> None:
    run = small_run(data=Pairs(*squares()), **WHOLE)
    assert run.predictions().classes == {"label": Pairs.classes}
    arrays = small_run(data=squares(), **WHOLE)
    assert run.history["train_loss"].to_list() == arrays.history["train_loss"].to_list()


def test_one_number_more_is_another_run(small_run: Trained) -> None:
    x, y = squares()
    changed = x.copy()
    changed[0, 0, 0] += 1
    assert small_run(data=(x, y), **WHOLE) != small_run(data=(changed, y), **WHOLE)


def test_a_run_on_arrays_goes_on_when_they_are_given_again(
    small_run: Trained, interrupted: Cut, tmp_path: Path
) -> None:
    whole = small_run(data=squares(), **WHOLE, runs=tmp_path / "whole")
    cut, _ = interrupted(data=squares(), **WHOLE, after=3)
    with pytest.raises(UsageError, match="Give them again"):
        resume(cut)
    done = resume(cut, data=squares())
    assert (done.folder / "model.safetensors").read_bytes() == (whole.folder / "model.safetensors").read_bytes()
    with pytest.raises(UsageError, match="Give them again"):
        extend(done, "+1")
    assert extend(done, "+1", data=squares()).epochs_done == 3


@pytest.mark.parametrize("data", [5, object(), [], {}, (1, 2, 3), [np.zeros((3, 6, 6))], {"x": 1}])
def test_what_is_no_data_is_refused(data: Any, small_run: Trained, tmp_path: Path) -> None:
    with pytest.raises(CnnlabError):
        small_run(data=data)
    assert not (tmp_path / "runs").exists()


def test_images_without_targets_cannot_be_learnt_from(small_run: Trained) -> None:
    with pytest.raises(UsageError, match="target"):
        small_run(data=squares()[0], **WHOLE)


# Models


def test_a_module_is_trained_from_its_own_weights_and_left_alone(small_run: Trained) -> None:
    module = net()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    run = small_run(model=module, optimizer="sgd(lr=1e-30)")
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(torch.equal(value, before[name]) for name, value in weights(run, net()).items())
    assert run.folder.name.startswith("digits-Net-")


@pytest.mark.parametrize("make", [Net, partial(Net, 8), lambda: Net(8)])
def test_a_function_makes_the_network_from_the_seed(make: Callable[[], nn.Module], small_run: Trained) -> None:
    torch.manual_seed(1)
    run = small_run(model=make, optimizer="sgd(lr=1e-30)", seed=4)
    with scope(4, "init"):
        expected = Net(8).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in weights(run, Net()).items())
    torch.manual_seed(2)
    assert small_run(model=make, optimizer="sgd(lr=1e-30)", seed=4) == run


def test_networks_that_differ_are_different_runs(small_run: Trained) -> None:
    models = {
        "net": net(),
        "other weights": net(seed=1),
        "other layers": net(9),
        "other source": net(kind=Doubled),
        "function": Net,
    }
    runs = {name: small_run(model=model, epochs=1) for name, model in models.items()}
    assert len({run.digest for run in runs.values()}) == len(models)
    assert small_run(model=net(), epochs=1) == runs["net"]


def test_a_network_whose_code_differs_is_another_run(small_run: Trained) -> None:
    def one() -> Net:
        class Own(Net):
            def forward(self, x: Tensor) -> Tensor:
                return super().forward(x)

        return net(kind=Own)

    def other() -> Net:
        class Own(Net):
            def forward(self, x: Tensor) -> Tensor:
                return super().forward(x) * 3

        return net(kind=Own)

    assert repr(one()) == repr(other())
    assert small_run(model=one()) != small_run(model=other())


def test_a_run_of_a_module_goes_on_when_it_is_given_again(small_run: Trained, interrupted: Cut, tmp_path: Path) -> None:
    # Not the module that its class makes by itself, which would be imported.
    whole = small_run(model=net(9), runs=tmp_path / "whole")
    cut, _ = interrupted(model=net(9), after=3)
    given_objects._given.clear()
    with pytest.raises(UsageError, match="Give it again"):
        resume(cut)
    with (
        pytest.warns(CnnlabWarning, match="code of the network Net has changed"),
        pytest.raises(UsageError, match="other layers"),
    ):
        resume(cut, network=net(8))
    # Whatever weights it has when it is given again, those of the checkpoint count.
    done = resume(cut, network=net(9, seed=5))
    assert (done.folder / "model.safetensors").read_bytes() == (whole.folder / "model.safetensors").read_bytes()
    given_objects._given.clear()
    assert extend(done, "+1", network=net(9, seed=5)).epochs_done == 3


def test_a_network_that_was_put_into_a_file_is_found_there_after_it_is_given_again(
    small_run: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        # As if this file were the script.
        patch.setattr(given_objects, "_MAIN", {__name__})
        run = small_run(model=Net, loss=nn.CrossEntropyLoss)
    assert "path" not in run.recipe["model"]
    given_objects._given.clear()
    classifier_files._given_once.clear()
    with pytest.raises(CnnlabError, match=r"file of its own, run the cnnlab\.train\(…\) again"):
        run.classifier()
    assert small_run(model=Net, loss=nn.CrossEntropyLoss) == run
    assert f"path={__name__}:Net)" in run.recipe["model"]
    given_objects._given.clear()
    classifier_files._given_once.clear()
    assert type(run.classifier().network).__name__ == "Net"
    assert extend(run, "+1").epochs_done == 3


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(64, 9)), "N×10.*gave 2×9"),
        (nn.Conv2d(1, 10, 3), "N×10.*gave 2×10×6×6"),
        (nn.Sequential(nn.Flatten(), nn.Linear(63, 10)), "fails on pictures of 1×8×8"),
        (lambda: 5, "made a int, not an nn.Module"),
        (nn.Sequential(nn.Flatten(), nn.LazyLinear(9)), "N×10.*gave 2×9"),
        (nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).requires_grad_(False), "nothing to train"),
        (5, "an nn.Module or a function"),
    ],
)
def test_a_module_that_does_not_fit_is_refused(model: Any, words: str, small_run: Trained, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        small_run(model=model)
    assert not (tmp_path / "runs").exists()


def test_trying_a_module_changes_nothing_of_it(small_run: Trained) -> None:
    module = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(64, 10)).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    small_run(model=module)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert module.training
    assert all(parameter.grad is None for parameter in module.parameters())


def test_a_module_is_tried_in_evaluation_and_put_back_part_by_part() -> None:
    module = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(64, 10)).train()
    module[0].eval()
    check_network(module, (1, 8, 8), 10)
    assert [part.training for part in module.modules()] == [True, False, True, True]
    with pytest.raises(UsageError):
        check_network(module, (1, 8, 9), 10)
    assert [part.training for part in module.modules()] == [True, False, True, True]


def test_a_recipe_alone_cannot_make_what_was_given_in_python(tiny: dict[str, Any], tmp_path: Path) -> None:
    for keys in ({"data": "arrays"}, {"model": "module(name=Net, digest=ab)"}):
        with pytest.raises(UsageError, match="given in Python"):
            train(tiny | keys, runs=tmp_path, offline=True)
    assert not list(tmp_path.glob("*/run.json"))


def test_objects_may_stand_in_the_recipe_or_among_the_keys(tiny: dict[str, Any], tmp_path: Path) -> None:
    run = train({**tiny, "model": net()}, runs=tmp_path, offline=True)
    assert train(tiny, model=net(), runs=tmp_path, offline=True) == run
    assert train(Recipe.read(tiny), model=net(), runs=tmp_path, offline=True) == run
    assert find_lr(tiny, model=net(), steps=12, offline=True).suggestion > 0


def test_paths_become_texts_and_what_is_plain_stays(tmp_path: Path) -> None:
    recipe, keys, given = extract_objects(tmp_path / "r.yaml", {"data": tmp_path / "photos", "seed": 3, "model": "mlp"})
    assert recipe == tmp_path / "r.yaml"
    assert keys == {"data": str(tmp_path / "photos"), "seed": 3, "model": "mlp"}
    assert given is None


def test_a_folder_with_spaces_in_its_name_is_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my photos").mkdir()
    monkeypatch.chdir(tmp_path)
    assert 'path="my photos"' in Recipe.read(data="my photos").data
