"""A folder as the Hugging Face Hub keeps a model: weights, configuration and a card. Nothing is sent anywhere."""

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cnnlab.core.digests import digest
from cnnlab.core.errors import ModelFileError, UsageError
from cnnlab.core.files import flush, make_folder, read_regular, storage_errors, write_text
from cnnlab.evaluation.prediction.predictor import Predictor
from cnnlab.export.facts import Facts
from cnnlab.export.model_card import model_card
from cnnlab.models import Classifier, OwnNetwork, load_classifier, save_classifier, weights_digest
from cnnlab.runs import Run

CONFIG, CARD, WEIGHTS = "config.json", "README.md", "model.safetensors"
_LIBRARY = "cnnlab"
_MOST_BYTES = 16 << 20


def write_folder(
    folder: Path, predictor: Predictor, run: Run | None, network: OwnNetwork | None = None
) -> tuple[tuple[Path, ...], Facts]:
    """Writes ``model.safetensors``, ``config.json`` and ``README.md``, and reads the first again to check it.

    :param network: the network of one's own whose weights these are, where this process does not know it.
    :raises UsageError: for what has no one file of weights, and for a folder that holds something else.
    """
    classifier = predictor.classifier
    if not isinstance(classifier, Classifier):
        raise UsageError(
            f"{predictor.label} is made of several models or of a pipeline, and has no one file of weights for a "
            "folder of the Hugging Face Hub. Export it as model.onnx, or its members each into a folder."
        )
    _check_ours(folder)
    facts = Facts.of(classifier, run)
    make_folder(folder.absolute().parent)
    with storage_errors(folder), TemporaryDirectory(dir=folder.absolute().parent, prefix=".export-") as place:
        made = Path(place)
        save_classifier(made / WEIGHTS, classifier)
        if weights_digest(load_classifier(made / WEIGHTS, network)) != facts.weights:
            raise ModelFileError(f"{folder} does not hold the weights that were written. Look after the disk.")
        facts = facts.model_copy(update={"check": {"by": "cnnlab.open_model", "same_weights": True}})
        card = model_card(classifier, facts, run)
        content = configuration(classifier, facts, card)
        write_text(made / CARD, card)
        make_folder(folder)
        # Killed in between, it is still known as one of ours, with the old card or the new, and exported again.
        _write_configuration(made / CONFIG, content | {"replaces": _digest_of(folder / CARD)})
        for name in (CONFIG, CARD, WEIGHTS):
            os.replace(made / name, folder / name)
        _write_configuration(made / CONFIG, content)
        os.replace(made / CONFIG, folder / CONFIG)
        flush(folder)
    return tuple(folder / name for name in (WEIGHTS, CONFIG, CARD)), facts


def configuration(classifier: Classifier, facts: Facts, card: str) -> dict[str, Any]:
    """``config.json``: the Hub's usual words where there are some, and what cnnlab knows besides."""
    channels, height, width = classifier.shape
    content: dict[str, Any] = {
        "library_name": _LIBRARY,
        "model_type": _LIBRARY,
        "cnnlab_version": facts.cnnlab,
        "network": facts.network,
        "objective": classifier.objective,
        "num_channels": channels,
        "image_size": [height, width],
        "image_mean": list(classifier.mean),
        "image_std": list(classifier.std),
        "resize": classifier.resize,
        "resampling": classifier.resampling,
        "permute": classifier.permute,
        "weights": facts.weights,
        "card": digest(card.encode()),
        "run": facts.run,
        "recipe": facts.recipe,
    }
    if len(facts.classes) == 1:
        names = next(iter(facts.classes.values()))
        content["id2label"] = {str(index): name for index, name in enumerate(names)}
        content["label2id"] = {name: index for index, name in enumerate(names)}
    elif facts.classes:
        content["classes"] = facts.classes
    return content


def _write_configuration(path: Path, content: dict[str, Any]) -> None:
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _digest_of(card: Path) -> str | None:
    """Of a card, None where there is none."""
    return digest(read_regular(card, _MOST_BYTES)) if os.path.lexists(card) else None


def _check_ours(folder: Path) -> None:
    """Refuses a file, and a folder that holds something that was not exported here, or a card that was changed."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is no folder. Name a folder, model.onnx or model.pt2.")
    if not folder.is_dir() or not os.listdir(folder):
        return
    try:
        content = json.loads(read_regular(folder / CONFIG, _MOST_BYTES))
        library, written = content.get("library_name"), {content.get("card"), content.get("replaces")}
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        library, written = None, set()
    if library != _LIBRARY:
        raise UsageError(
            f"{folder} holds files that were not exported by cnnlab, and these are not replaced. Name a new folder."
        )
    card = folder / CARD
    try:
        is_changed = os.path.lexists(card) and _digest_of(card) not in written
    except OSError:
        is_changed = True
    if is_changed:
        raise UsageError(
            f"{card} was changed since it was exported, and is not replaced. Move it away, or name a new folder."
        )
