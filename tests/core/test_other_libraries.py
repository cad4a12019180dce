"""Every word of another library that the tables know leads to something that the real parsers accept."""

import ast
import inspect
from collections.abc import Iterator
from typing import Any

import pytest

import cnnlab
from cnnlab.core import counterparts, other_commands, other_libraries
from cnnlab.core.errors import SpecError, UsageError, letters
from cnnlab.core.registry import Registry
from cnnlab.core.spec import read


def registry_of(kind: str) -> Registry[Any]:
    from cnnlab import augment, data, models, objectives
    from cnnlab.augment.padding import fills
    from cnnlab.core.hooks import perturbations
    from cnnlab.ensembles.methods import methods
    from cnnlab.explain import ATTRIBUTIONS
    from cnnlab.studies.designs import designs
    from cnnlab.studies.search_spaces import spaces
    from cnnlab.training import normalization, optimizers, schedules

    found: list[Registry[Any]] = [
        *(augment.augmentations, data.readers, models.architectures, models.layers, models.initialisers),
        *(objectives.objectives, fills, perturbations, methods, designs, spaces),
        ATTRIBUTIONS,
        *(normalization.normalizations, optimizers.optimizers, schedules.schedules),
    ]
    return next(registry for registry in found if registry.kind == kind)


def words(table: dict[str, str]) -> list[tuple[str, str]]:
    return [(word, ours) for ours, theirs in table.items() for word in theirs.split()]


def test_there_are_hundreds_of_words() -> None:
    tables = [*other_libraries.NAMES.values(), *_TABLES]
    assert len({word for table in tables for word, _ in words(table)}) > 700


_TABLES = [
    *(getattr(other_libraries, name) for name in ("ARGUMENTS", "VALUES", "KEYS", "STUDY_LINES", "METRICS")),
    *(getattr(other_commands, name) for name in ("FLAGS", "COMMANDS", "SUBCOMMANDS", "PYTHON")),
]


def duplicate_lines() -> Iterator[str]:
    """Keys that a table of the modules has twice, of which Python would keep the last."""
    trees = [ast.parse(inspect.getsource(module)) for module in (other_libraries, other_commands)]
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Dict):
            names = [key.value for key in node.keys if isinstance(key, ast.Constant)]
            yield from (str(name) for name in names if names.count(name) > 1)


def test_no_line_stands_twice_in_a_table() -> None:
    assert list(duplicate_lines()) == []


def test_no_word_stands_twice_in_a_line() -> None:
    tables = [*other_libraries.NAMES.values(), *_TABLES]
    for table in tables:
        for ours, theirs in table.items():
            listed = [letters(word) for word in theirs.split()]
            assert len(set(listed)) == len(listed), ours


@pytest.mark.parametrize("kind", other_libraries.NAMES)
def test_every_name_is_answered_by_one_that_the_registry_takes(kind: str) -> None:
    registry = registry_of(kind)
    for word, ours in words(other_libraries.NAMES[kind]):
        assert word not in registry, f"{word} is a name of our own"
        assert ours in counterparts.names(kind, word), (word, ours)
        for call in read(ours):
            entry = registry.entry(call)
            if call.args or call.kwargs or not any(a.is_required for a in entry.arguments.values()):
                registry.bind(call)


@pytest.mark.parametrize(
    "kind", [kind for kind in other_libraries.NAMES if kind not in ("layer", "data set", "space", "method")]
)
def test_what_is_told_to_write_for_a_name_is_accepted(kind: str) -> None:
    registry = registry_of(kind)
    for word in dict(words(other_libraries.NAMES[kind])):
        with pytest.raises(SpecError) as refused:
            registry.bind(word)
        assert refused.value.corrected is not None, word
        registry.bind_all(refused.value.corrected)
        assert str(refused.value).endswith(f"Write {refused.value.corrected}")


def test_networks_of_timm_that_are_told_of_are_there() -> None:
    timm = pytest.importorskip("timm")
    named = [read(ours)[0] for ours in other_libraries.NAMES["architecture"] if ours.startswith("timm(")]
    assert named
    assert all(timm.is_model(call.args[0]) for call in named)


def test_every_argument_is_one_of_some_spec() -> None:
    taken: set[str] = set()
    for kind in {*other_libraries.NAMES}:
        registry = registry_of(kind)
        registry.complete()
        taken |= {name for entry in registry for name in entry.arguments}
    assert set(other_libraries.ARGUMENTS) <= taken


@pytest.mark.parametrize(
    ("key", "said", "corrected"),
    [
        ("optimizer", "SGD(learning_rate=0.1, momentum=0.9)", "sgd(lr=0.1, momentum=0.9)"),
        ("optimizer", "adam(lr=0.1, epsilon=1e-5)", "adam(lr=0.1, eps=1e-05)"),
        ("optimizer", "torch.optim.RMSprop(lr=0.1)", "rmsprop(lr=0.1)"),
        ("model", "cnn(init=xavier)", "cnn(init=glorot-uniform)"),
        ("model", "cnn(activation=swish, pooling=average)", "cnn(activation=silu, pooling=avg)"),
        ("model", "VGG", "vgg-like"),
        ("model", "ResNet18", "resnet18"),
        ("model", "vgg16(pretrained=true)", "vgg16(weights=imagenet)"),
        ("model", "resnet(depth=34, stem=large)", "resnet34(stem=large)"),
        ("model", "Conv2D(32, kernel_size=5)|ReLU|nn.MaxPool2d|Linear(10)", "conv(32, kernel=5)|relu|pool|dense(10)"),
        ("model", "conv(8)|swish", "conv(8)|silu"),
        ("model", "conv(8)|Dropout2d(0.3)", "conv(8)|dropout(0.3, by=channel)"),
        ("model", "vgg16(head='dense(64)|swish')", "vgg16(head='dense(64)|silu')"),
        ("augment", "flip|RandomRotation(10)|blur", "flip|rotate(10)|blur"),
        ("augment", "RandomHorizontalFlip(0.5)", "flip"),
        ("augment", "random_rotation(degrees=5)|MixUp(0.3)", "rotate(degrees=5)|mixup(0.3)"),
        ("schedule", "StepLR(step_size=3, gamma=0.5)", "step(every=3, factor=0.5)"),
        ("schedule", "OneCycleLR(pct_start=0.2)", "one-cycle(peak=0.2)"),
        ("objective", "sparse_categorical_crossentropy", "classes"),
        ("objective", "L1Loss", "scalar(loss=mae)"),
        ("normalize", "standardize", "dataset"),
        ("data", "FashionMNIST", "fashion-mnist"),
        ("data", "mnist(img_size=32, color_mode=rgb)", "mnist(size=32, channels=colour)"),
    ],
)
def test_a_spec_in_other_words_is_told_in_ours(key: str, said: str, corrected: str) -> None:
    from cnnlab.training import Recipe

    with pytest.raises(SpecError) as refused:
        Recipe.read({"data": "digits", key: said})
    assert refused.value.corrected == corrected
    assert str(refused.value).endswith((f"Write {key}='{corrected}'", f'Write {key}="{corrected}"'))
    Recipe.read({"data": "digits", key: corrected})


@pytest.mark.parametrize(
    "keys",
    [
        {"model": "resnet18", "weights": "imagenet"},
        {"model": "resnet18(pretrained=true)"},
        {"model": "resnet18", "model.weights": "imagenet"},
    ],
)
def test_weights_for_a_network_without_any_are_told_of_that_of_timm(keys: dict[str, Any]) -> None:
    from cnnlab.training import Recipe

    pytest.importorskip("timm")
    with pytest.raises(UsageError, match=r"Write model='timm\(resnet18, weights=imagenet\)'$"):
        Recipe.read({"data": "digits"}, **keys)


def test_weights_for_a_network_that_timm_has_not_are_told_as_before() -> None:
    from cnnlab.training import Recipe

    with pytest.raises(SpecError, match="architecture cnn has no argument 'weights'"):
        Recipe.read({"data": "digits", "model": "cnn(weights=imagenet)"})


def test_an_argument_that_is_misspelt_is_not_left_out_of_what_is_told() -> None:
    from cnnlab.training import Recipe

    with pytest.raises(SpecError) as refused:
        Recipe.read({"data": "digits", "optimizer": "SGD(lr=0.1, momentun=0.9)"})
    assert refused.value.corrected in (None, "sgd")


def told(message: str) -> tuple[str, str]:
    """The key and the value that a message says to write."""
    line = message.rpartition("Write ")[2].partition(", or on the command line")[0].partition(", in a shell")[0]
    key, _, value = line.partition("=")
    return key, value


@pytest.mark.parametrize("word", sorted({word for word, _ in words(other_libraries.KEYS)}))
@pytest.mark.parametrize("value", [True, 3, "something"])
def test_what_is_told_to_write_for_a_key_is_accepted(word: str, value: object) -> None:
    from cnnlab.training import Recipe

    if word in Recipe.model_fields:
        pytest.fail(f"{word} is a key of our own")
    with pytest.raises(UsageError) as refused:
        Recipe.read({"data": "digits"}, **{word: value})
    key, shown = told(str(refused.value))
    whole = Recipe.read({"data": "digits"}, **{key: ast.literal_eval(shown)})
    assert key in Recipe.model_fields
    assert whole.data


def test_every_line_of_a_recipe_is_accepted_as_it_stands() -> None:
    from cnnlab.training import Recipe, parse_pairs

    for lines in other_libraries.KEYS:
        accepted = 0
        for line in lines.split():
            pairs = parse_pairs([line.replace("{", "").replace("}", "")])
            try:
                Recipe.read({"data": "digits"}, **pairs)
            except UsageError:
                continue
            accepted += 1
        assert accepted, lines


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"lr": 0.01}, "optimizer='adamw(lr=0.01)', or on the command line optimizer.lr=0.01"),
        ({"lr": 0.01, "optimizer": "sgd(lr=0.5, momentum=0.9)"}, "optimizer='sgd(lr=0.01, momentum=0.9)'"),
        ({"lr": -1}, "optimizer='adamw(lr=0.01)'"),
        ({"momentum": 0.8}, "optimizer='sgd(lr=0.1,momentum=0.8)'"),
        ({"class_weight": "balanced"}, "balance='weights'"),
        ({"class_weight": {"0": 1}}, "balance='weights'"),
        ({"early_stopping": 7}, "patience=7"),
        ({"early_stopping": True}, "patience=5"),
        ({"pretrained": True}, "model='vgg16(weights=imagenet)'"),
        ({"n_splits": 4}, "folds=4"),
        ({"metric": "acc"}, "select='accuracy'"),
        ({"pretrained": True, "model": "resnet50v2"}, "model='resnet50v2(weights=imagenet)'"),
        ({"freeze": "backbone"}, "train='head'"),
        ({"conv_dropout": 0.2}, "model='vgg-like(conv_dropout=0.2)', or on the command line model.conv_dropout=0.2"),
        ({"conv_dropout": 0.2, "model": "cp"}, "model='cp(conv_dropout=0.2)'"),
        ({"activation": "swish"}, "model='vgg-like(activation=silu)'"),
        ({"opt": "SGD(learning_rate=0.1)"}, "optimizer='sgd(lr=0.1)'"),
        ({"loss": "BCEWithLogitsLoss"}, "objective='binary'"),
        ({"transforms": "flip|RandomRotation(10)"}, "augment='flip|rotate(10)'"),
        ({"imgsz": 64}, "data='digits(size=64)', or on the command line data.size=64"),
        ({"monitor": "val_loss"}, "select='validation_loss'"),
        ({"fp16": True}, "precision='float16'"),
        ({"nb_epochs": 3}, "epochs=3"),
        ({"batchSize": 32}, "batch_size=32"),
        ({"save_epochs": [2, 4]}, "snapshots=[2, 4], in a shell snapshots='[2, 4]'"),
        ({"validation_split": 0.3}, "validation=0.3"),
        ({"hidden_layer_sizes": [64, 32]}, "model='mlp(hidden=[64, 32])'"),
        ({"accelerator": "gpu"}, "device='cuda'"),
    ],
)
def test_a_key_is_told_with_the_value_that_was_given(given: dict[str, Any], line: str) -> None:
    from cnnlab.training import Recipe

    with pytest.raises(UsageError) as refused:
        Recipe.read({"data": "digits"}, **given)
    assert f"Write {line}" in str(refused.value)


@pytest.mark.parametrize("key", [word for line in other_libraries.EXPLAINED for word in line.split()])
def test_a_key_without_counterpart_is_explained(key: str) -> None:
    from cnnlab.training import Recipe

    assert key not in Recipe.model_fields
    with pytest.raises(UsageError, match=f"^a recipe has no key '{key}': .+"):
        Recipe.read({"data": "digits"}, **{key: True})


def test_in_a_file_the_line_of_a_file_is_told(tmp_path: Any) -> None:
    from cnnlab.core import yaml
    from cnnlab.training import Recipe

    path = tmp_path / "recipe.yaml"
    path.write_text("data: digits\noptimizer: sgd(lr=0.1, momentum=0.9)\nlr: 0.02\n")
    with pytest.raises(UsageError) as refused:
        Recipe.read(path)
    line = str(refused.value).rpartition("Write ")[2]
    assert line == 'optimizer: "sgd(lr=0.02, momentum=0.9)"'
    path.write_text(f"data: digits\n{line}\n")
    assert Recipe.read(path).optimizer.parsed.arguments["lr"] == 0.02
    assert yaml.load(line, "a line") == {"optimizer": "sgd(lr=0.02, momentum=0.9)"}


@pytest.mark.parametrize(
    ("key", "given", "word"),
    [("balance", "balanced", "weights"), ("balance", "oversample", "sampler"), ("precision", "bf16-mixed", "bfloat16")],
)
def test_a_value_in_other_words_is_told_in_ours(key: str, given: str, word: str) -> None:
    from cnnlab.training import Recipe

    with pytest.raises(UsageError, match=f"Write {key}='{word}'$"):
        Recipe.read({"data": "digits", key: given})


STUDY = {"question": "Which?", "base": {"data": "digits"}, "vary": {"augment": ["none", "flip"]}}


@pytest.mark.parametrize("word", [word for word, _ in words(other_libraries.STUDY_LINES)])
def test_what_is_told_to_write_for_a_key_of_a_study_is_accepted(word: str) -> None:
    from cnnlab.core import yaml
    from cnnlab.studies.study_file import read_study

    with pytest.raises(UsageError) as refused:
        read_study({**STUDY, word: 3})
    read_study({**STUDY, **yaml.load(str(refused.value).rpartition("Write ")[2], "a line")})


@pytest.mark.parametrize(
    ("content", "keys", "line"),
    [
        ({"lr": 0.1}, {}, "called optimizer there. Write base: {optimizer: adamw(lr=0.1)}"),
        ({"epochs": 3}, {}, "it is one of its base. Write base: {epochs: 3}"),
        ({}, {"lr": 0.1}, "Write optimizer='adamw(lr=0.1)', or on the command line optimizer.lr=0.1"),
        ({}, {"n_repeats": 3}, "Write repeats: 3"),
    ],
)
def test_in_a_study_the_keys_of_a_recipe_are_told_too(content: dict[str, Any], keys: dict[str, Any], line: str) -> None:
    from cnnlab.studies.study_file import read_study

    with pytest.raises(UsageError) as refused:
        read_study({**STUDY, **content}, keys)
    assert line in str(refused.value)


@pytest.mark.parametrize(
    ("vary", "line"),
    [
        ({"lr": [0.1, 0.01]}, "Write optimizer.lr: [0.1, …]"),
        ({"rotation_range": [10, 20]}, "Write augment: [rotate(10), …]"),
        ({"nets": {"small": {"bs": 32}}}, "Write batch_size: [32, …]"),
    ],
)
def test_an_axis_in_other_words_is_told_in_ours(vary: dict[str, Any], line: str) -> None:
    from cnnlab.studies.axes import read_axes
    from cnnlab.studies.designs import designs

    with pytest.raises(UsageError) as refused:
        read_axes(vary, designs.bind("grid").build())
    assert line in str(refused.value)


def parsed(line: str) -> None:
    """Reads a command line as far as typer does before it calls the command."""
    import shlex

    import typer

    from cnnlab.cli.app import app

    command: Any = typer.main.get_command(app)
    typed = [word.strip("{}") for word in shlex.split(line)]
    context = command.make_context("cnnlab", list(typed), resilient_parsing=True)
    while hasattr(command, "commands"):
        if not typed or typed[0].startswith("--"):
            assert all(any(word in p.opts for p in command.get_params(context)) for word in typed), line
            return
        command, typed = command.commands[typed[0]], typed[1:]
    command.make_context(command.name, typed, parent=context)


@pytest.mark.parametrize(("word", "line"), words(other_commands.COMMANDS))
def test_what_is_told_to_type_for_a_command_can_be_typed(word: str, line: str) -> None:
    from cnnlab.cli.app import app

    own = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
    assert word not in own, f"{word} is a command of our own"
    parsed(line)


@pytest.mark.parametrize(("word", "ours"), words(other_commands.SUBCOMMANDS))
def test_commands_of_groups_are_there(word: str, ours: str) -> None:
    import typer

    from cnnlab.cli.app import app

    groups: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    names = [set(group.commands) for group in groups.values() if hasattr(group, "commands")]
    assert any(ours in group for group in names)
    assert not any(ours in group and word in group for group in names)


@pytest.mark.parametrize("flag", other_commands.FLAGS)
def test_flags_are_there_on_the_command_line_and_in_python(flag: str) -> None:
    parsed(f"train {flag} data=digits")
    in_python = {"--quiet": "progress", "--again": "again", "--runs": "runs"}[flag.split()[0]]
    assert in_python in inspect.signature(cnnlab.train).parameters


@pytest.mark.parametrize(("word", "ours"), words(other_commands.PYTHON))
def test_what_is_told_to_write_in_python_is_there(word: str, ours: str) -> None:
    with pytest.raises(AttributeError, match=rf"has no attribute '{word}'\. Write cnnlab\.") as refused:
        getattr(cnnlab, word)
    found: Any = cnnlab
    for part in str(refused.value).rpartition("Write cnnlab.")[2].split("."):
        found = getattr(found, part)
    assert found is not None
    assert ours in counterparts.python_names.of(word)


def test_names_that_python_itself_looks_for_are_simply_not_there() -> None:
    with pytest.raises(AttributeError, match=r"has no attribute '__wrapped__'$"):
        _ = cnnlab.__wrapped__  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("acc", "test_accuracy"),
        ("val_acc", "validation_accuracy"),
        ("val_loss", "validation_loss"),
        ("test_f1", "test_macro_f1"),
        ("roc_auc", None),
    ],
)
def test_metrics_are_found_by_the_names_of_others(word: str, meant: str | None) -> None:
    known = ["test_accuracy", "validation_accuracy", "validation_loss", "test_macro_f1"]
    assert counterparts.metrics(word, known) == ([] if meant is None else [meant])


@pytest.mark.parametrize(("word", "kind"), words(other_commands.FIGURES))
def test_figures_are_told_by_the_names_of_others(word: str, kind: str) -> None:
    from cnnlab.cli.figure import _KINDS, _read

    assert kind in _KINDS and word not in _KINDS
    with pytest.raises(UsageError, match=f"no figure called '{word}'. Did you mean .*{kind}"):
        _read(["last", word])


@pytest.mark.parametrize(("word", "kind"), words(other_commands.LISTED))
def test_kinds_of_words_are_told_by_the_names_of_others(word: str, kind: str) -> None:
    from cnnlab.cli.list import _KINDS, _kind

    assert kind in _KINDS and word not in _KINDS
    with pytest.raises(UsageError, match=f"Did you mean .*{kind}"):
        _kind(word)


@pytest.mark.parametrize("kind", other_libraries.EXPLAINED_NAMES)
def test_a_name_whose_work_is_done_elsewhere_is_explained(kind: str) -> None:
    for theirs, why in other_libraries.EXPLAINED_NAMES[kind].items():
        for word in theirs.split():
            with pytest.raises(SpecError) as refused:
                registry_of(kind).bind(f"{word}(mean=[0.5])")
            assert why in str(refused.value)
            assert counterparts.names(kind, word, [entry.name for entry in registry_of(kind)]) == ()
