"""Classifiers on disk: the same after as before, and everything else refused in words."""

import json
import pickle
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from cnnlab import models
from cnnlab.core.errors import ModelFileError, UsageError
from cnnlab.core.hooks import open_stored

SHAPE = (1, 6, 6)


def classifier(spec: str = "conv(4)|bn|relu|pool", **changes) -> models.Classifier:
    facts = {"mean": [0.1], "std": [1 / 3], "classes": {"label": ("ä", "b")}, "objective": "classes", "model": spec}
    return models.Classifier(models.build_network(spec, SHAPE, 2), SHAPE, **{**facts, **changes}).eval()


@pytest.fixture
def stored(tmp_path) -> Path:
    path = tmp_path / "model.safetensors"
    models.save_classifier(path, classifier())
    return path


def metadata_of(path: Path) -> dict:
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length])["__metadata__"]


def rewritten(path: Path, **changes) -> Path:
    """The file with some of its facts changed."""
    facts = {**json.loads(metadata_of(path)["cnnlab"]), **changes}
    state = models.load_classifier(path).network.state_dict()
    tensors = {name: value.contiguous() for name, value in state.items()}
    save_file(tensors, path, metadata={"cnnlab": json.dumps(facts)})
    return path


def test_everything_comes_back(tmp_path):
    before = classifier(permute=11, resize="pad", std=[0.0], white=4095)
    models.save_classifier(tmp_path / "a.safetensors", before, {"epoch": 3, "parent": None})
    after = models.load_classifier(tmp_path / "a.safetensors")
    for name in ("shape", "mean", "std", "classes", "objective", "model", "permute", "resize", "white", "outputs"):
        assert getattr(after, name) == getattr(before, name), name
    assert after.extra == {"epoch": 3, "parent": None}
    assert not after.training and all(p.requires_grad and not p.is_meta for p in after.parameters())
    images = torch.rand(5, *SHAPE)
    assert torch.allclose(after(images), before(images), atol=1e-6)


def test_extra_facts_survive_a_second_saving(tmp_path):
    models.save_classifier(tmp_path / "a", classifier(), {"epoch": 3})
    models.save_classifier(tmp_path / "b", models.load_classifier(tmp_path / "a"), {"more": [1]})
    assert models.load_classifier(tmp_path / "b").extra == {"epoch": 3, "more": [1]}


def test_same_classifier_gives_the_same_bytes_whatever_its_layout(tmp_path):
    tool = classifier()
    models.save_classifier(tmp_path / "a", tool, {"x": 1, "y": 2})
    tool.to(memory_format=torch.channels_last)
    models.save_classifier(tmp_path / "b", tool, {"y": 2, "x": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_file_has_one_metadata_key_of_sorted_json(stored):
    metadata = metadata_of(stored)
    assert list(metadata) == ["cnnlab"]
    assert (
        json.dumps(json.loads(metadata["cnnlab"]), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        == (metadata["cnnlab"])
    )


def test_loading_draws_nothing_from_the_global_generator(stored):
    before = torch.get_rng_state()
    models.load_classifier(stored)
    assert torch.equal(before, torch.get_rng_state())


def test_other_rooms_open_classifiers_through_the_registry(stored):
    assert isinstance(open_stored("classifier", stored), models.Classifier)


def test_network_of_ones_own_is_stored_and_filled_again(tmp_path):
    def own() -> nn.Module:
        layers = nn.Sequential(nn.Flatten(), nn.Linear(36, 36), nn.Linear(36, 36))
        layers[2].weight = layers[1].weight  # tied weights
        return layers

    before = models.Classifier(own(), SHAPE, [0.0], [1.0], {}, "classes", "module(my_nets.Own)")
    models.save_classifier(tmp_path / "own", before)
    with pytest.raises(ModelFileError, match="network="):
        models.load_classifier(tmp_path / "own")
    given = own()
    after = models.load_classifier(tmp_path / "own", network=given)
    images = torch.rand(2, *SHAPE)
    assert torch.equal(after(images), before(images)) and after.outputs is None
    # Given once it is known, and what is opened later is another network than the one that was given.
    again = models.load_classifier(tmp_path / "own")
    assert torch.equal(again(images), before(images)) and again.network is not given


def test_state_that_is_no_tensor_is_refused_and_nothing_is_written(tmp_path):
    class Odd(nn.Flatten):
        def get_extra_state(self):
            return {"a": 1}

    with pytest.raises(UsageError, match="_extra_state"):
        models.save_classifier(
            tmp_path / "x", models.Classifier(Odd(), SHAPE, [0.0], [1.0], {}, "classes", "module(x)")
        )
    with pytest.raises(UsageError, match="JSON"):
        models.save_classifier(tmp_path / "x", classifier(), {"a": {1, 2}})
    assert not list(tmp_path.iterdir())


class Bomb:
    """Touches a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["weights.pt", "weights.pth", "model.safetensors"])
@pytest.mark.parametrize("protocol", [2, 4, "torch"])
def test_pickle_is_named_as_such_and_not_opened(tmp_path, name, protocol):
    path, trace = tmp_path / name, tmp_path / "trace"
    if protocol == "torch":
        torch.save({"a": Bomb(trace)}, path)
    else:
        path.write_bytes(pickle.dumps(Bomb(trace), protocol))
    with pytest.raises(ModelFileError, match="is a pickle"):
        models.load_classifier(path)
    assert not trace.exists()


def test_old_text_pickle_is_known_by_its_name(tmp_path):
    (tmp_path / "old.pkl").write_bytes(pickle.dumps([1], 0))
    with pytest.raises(ModelFileError, match="is a pickle"):
        models.load_classifier(tmp_path / "old.pkl")


def test_file_cut_short_anywhere_is_refused(stored, tmp_path):
    content = stored.read_bytes()
    for length in range(0, len(content), max(1, len(content) // 150)):
        short = tmp_path / "short.safetensors"
        short.write_bytes(content[:length])
        with pytest.raises(ModelFileError, match="cut short"):
            models.load_classifier(short)


@pytest.mark.parametrize(
    ("content", "word"), [(b"", "cut short"), (b"hello, world", "no safetensors"), (b"\0" * 64, "no safetensors")]
)
def test_other_files_are_refused(tmp_path, content, word):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ModelFileError, match=word):
        models.load_classifier(tmp_path / "x")


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(ModelFileError, match="no model file"):
        models.load_classifier(tmp_path / "none")
    with pytest.raises(ModelFileError, match="is a folder"):
        models.load_classifier(tmp_path)


@pytest.mark.parametrize("metadata", [None, {}, {"format": "pt"}])
def test_weights_of_others_are_refused(tmp_path, metadata):
    save_file({"a": torch.ones(2)}, tmp_path / "x", metadata=metadata)
    with pytest.raises(ModelFileError, match="did not write"):
        models.load_classifier(tmp_path / "x")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"format": 2}, "newer cnnlab"),
        ({"format": "1"}, "no sense"),
        ({"shape": [1, 6]}, "no sense"),
        ({"shape": [1, 6, "6"]}, "no sense"),
        ({"shape": [1, 2**20, 2**20]}, "larger"),
        ({"shape": [1, -6, 6]}, "no sense"),
        ({"objective": "binary"}, "2 outputs, and its objective, binary, is for 1"),
        ({"shape": [1, 7, 9]}, "head.weight"),
        ({"mean": [0.1, 0.2]}, "mean"),
        ({"std": ["a"]}, "no sense"),
        ({"resize": "stretch"}, "no sense"),
        ({"outputs": None}, "outputs"),
        ({"outputs": 3}, "head"),
        ({"model": "conv(8)|bn|relu|pool"}, "conv1.weight"),
        ({"model": "conv(4)|relu|pool"}, "bn1"),
        ({"model": "conv(4)|bn|relu|pool|dense(2)"}, "dense1"),
        ({"model": "conv(4)|bn|relu|pool|pool|pool|pool"}, "pool3"),
        ({"model": "dense(99999999999)"}, "weights"),
        ({"model": "unheard-of"}, "unheard-of"),
        ({"model": ""}, "got nothing"),
        ({"model": "module(x)"}, "network="),
        ({"permute": "a"}, "no sense"),
    ],
)
def test_facts_that_do_not_fit_are_refused_in_words(stored, changes, word):
    with pytest.raises(ModelFileError, match=word):
        models.load_classifier(rewritten(stored, **changes))


@pytest.mark.parametrize("text", ["", "[]", "3", "{}", "{", "[" * 5000, '{"format": true}', "null", "\udcff"])
def test_damaged_facts_are_refused_in_words(tmp_path, text):
    save_file({"a": torch.ones(2)}, tmp_path / "x", metadata={"cnnlab": text.encode("utf-8", "replace").decode()})
    with pytest.raises(ModelFileError, match="damaged"):
        models.load_classifier(tmp_path / "x")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 40)
    | st.floats(-2, 2)
    | st.sampled_from(["", "cnn", "mlp", "pool|relu"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["label", "x"]), inner, max_size=2),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None)
@given(
    changes=st.dictionaries(
        st.sampled_from(
            ["shape", "mean", "std", "classes", "objective", "model", "outputs", "permute", "resize", "extra", "format"]
        ),
        JSON,
        min_size=1,
        max_size=3,
    )
)
def test_any_change_of_the_facts_loads_or_is_refused(tmp_path_factory, changes):
    path = tmp_path_factory.mktemp("facts") / "model.safetensors"
    models.save_classifier(path, classifier("mlp(hidden=[3])"))
    try:
        models.load_classifier(rewritten(path, **changes))
    except ModelFileError:
        return


def test_half_precision_copy_of_the_weights_still_loads(stored):
    facts = metadata_of(stored)
    tensors = {k: v.contiguous() for k, v in models.load_classifier(stored).network.state_dict().items()}
    halves = {k: v.half() if v.is_floating_point() else v for k, v in tensors.items()}
    save_file(halves, stored, metadata=facts)
    assert models.load_classifier(stored)(torch.rand(1, *SHAPE)).dtype == torch.float32
