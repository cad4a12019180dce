"""Exporting: what ``cnnlab export`` and :func:`cnnlab.export` do."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnnlab.core.errors import StorageError, UsageError
from cnnlab.core.files import storage_errors, user_path
from cnnlab.core.messages import announcing, warn
from cnnlab.core.number_text import counted
from cnnlab.data import ImageSet
from cnnlab.evaluation import open_model, predictor_of
from cnnlab.evaluation.prediction.predictor import Predictor
from cnnlab.export import checks, onnx_graph, onnx_model, pictures, quantization, torch_program
from cnnlab.export.facts import Facts
from cnnlab.export.golden import COUNT, Golden, golden_path, write_with_golden
from cnnlab.export.hugging_face import write_folder
from cnnlab.export.resizing import WithResize
from cnnlab.export.tracing import traced
from cnnlab.models import OwnNetwork, Predictable
from cnnlab.runs import Run

SUFFIXES = {".onnx": "onnx", ".pt2": "torch", "": "hugging-face"}
"""What a path is to become, by its suffix; one without is a folder."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    :param path: the file, or the folder.
    :param files: all that was written, the file itself first.
    :param facts: what it says of itself; among it how it was checked.
    """

    path: Path
    files: tuple[Path, ...]
    facts: Facts

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON, without the recipe."""
        return {
            "path": str(self.path),
            "files": [str(path) for path in self.files],
            **self.facts.model_dump(exclude={"recipe"}),
        }


def export(
    run: Run | Predictable | str | Path,
    out: str | Path,
    *,
    resize: bool = False,
    int8: bool = False,
    runs: str | Path | None = None,
    data_dir: str | Path | None = None,
    offline: bool = False,
    network: OwnNetwork | None = None,
) -> Exported:
    """Writes a classifier as a file that other programs run, and checks that it answers as torch does.

    It takes uint8 pictures N×C×H×W, any number of them, and gives raw outputs N×K in float32: normalisation,
    permutation and changes of colour and size that belong to the network are inside, and an ensemble is one graph.

    :param run: or a model by itself, or the name of either, as :func:`cnnlab.open_model` takes it.
    :param out: ``model.onnx``; ``model.pt2`` for a program of PyTorch's; or, without a suffix, a folder for the Hugging
        Face Hub, with safetensors, configuration and model card.
    :param resize: has ONNX files and programs take pictures of any size, all of one batch alike, and resize them as
        Pillow does when cnnlab reads them.
    :param int8: of ONNX, convolutions and dense layers in whole numbers of 8 bits, fitted to the validation pictures.
    :param runs: the folder of runs; ``CNNLAB_RUNS`` or ``runs/`` otherwise.
    :param data_dir: where the data of the run is looked for, of which 256 pictures are what the file is checked with.
    :param offline: never tries the network for data or weights.
    :param network: the network of one's own that the run was trained on, or what makes it, where this process does
        not know it.
    :raises UsageError: for a model that the format cannot hold, naming the remedy, and where a package is missing.
    :raises ModelFileError: where what was made answers otherwise than torch; nothing is written then.
    """
    path = user_path(out)
    kind = _kind(path, resize=resize, int8=int8)
    if kind == "onnx":
        onnx_graph.check_packages()
    opened = open_model(run, runs=runs, network=network, offline=offline)
    predictor = _predictor(opened, network)
    own = opened if isinstance(opened, Run) else None
    if own is not None and own.status != "finished":
        warn(f"{own.name} is not finished; what is exported are its weights after {counted(own.epochs_done, 'epoch')}.")
    if kind == "hugging-face":
        files, facts = write_folder(path, predictor, own, network)
        return Exported(path, files, facts)
    _refuse_without_graph(predictor)
    if kind == "onnx":
        onnx_graph.check_size(predictor.classifier, predictor.label)
    _check_place(path)
    job = _Job(path, predictor, own, resize, int8, data_dir, offline)
    with predictor.placed(), announcing(f"exporting {predictor.label}"):
        return job.onnx() if kind == "onnx" else job.torch()


def _predictor(model: Run | Predictable, network: OwnNetwork | None) -> Predictor:
    """The model on the processor in float32, by torch's own kernels, whatever it was trained with."""
    if isinstance(model, Run):
        return Predictor(model.classifier(network=network), f"run {model.folder.name}", model.recipe)
    return predictor_of(model, device="cpu")


def _kind(path: Path, *, resize: bool, int8: bool) -> str:
    """What is to be written.

    :raises UsageError: for a suffix of another format, or options that do not go with it.
    """
    if path.suffix.lower() not in SUFFIXES or path.name.lower() in SUFFIXES:
        raise UsageError(
            f"{path} does not go with its suffix: models are exported as .onnx, as .pt2 for PyTorch, or into a folder "
            "without a suffix for the Hugging Face Hub."
        )
    kind = SUFFIXES[path.suffix.lower()]
    if kind != "hugging-face" and path.is_dir():
        raise UsageError(
            f"{path} is a folder, and {path.suffix} is one file. Name it, as in {path / 'model'}{path.suffix}."
        )
    if int8 and kind != "onnx":
        raise UsageError("--int8 is of ONNX files. Name one, as in model.onnx, or leave --int8 out.")
    if resize and kind == "hugging-face":
        raise UsageError(
            "--resize is of ONNX files and PyTorch's programs; what opens a folder for the Hugging Face Hub, cnnlab, "
            "resizes by itself. Leave --resize out."
        )
    return kind


def _check_place(path: Path) -> None:
    """Refuses what cannot be written to before the work of minutes.

    :raises StorageError: naming the remedy.
    """
    folder = path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    try:
        with storage_errors(path), tempfile.TemporaryFile(dir=folder):
            pass
    except FileNotFoundError as error:
        raise StorageError(f"{path} could not be written: {folder} takes no files. Choose another folder.") from error


def _refuse_without_graph(predictor: Predictor) -> None:
    if any(getattr(module, "pipeline", None) is not None for module in predictor.classifier.modules()):
        raise UsageError(
            f"{predictor.label} ends in a pipeline of scikit-learn, which is no part of a graph of PyTorch's. Train a "
            "head on the backbone instead (train=head), which is exported whole; or use it by cnnlab.predict."
        )
    if not predictor.classifier.has_graph:
        raise UsageError(
            f"{predictor.label} asks a model about several views of a picture (tta), and the augmentations that make "
            "these are no part of a graph. Export the model that it asks, or an ensemble of several runs; or use it by "
            "cnnlab.predict."
        )


@dataclass(frozen=True)
class _Job:
    """One export into a file."""

    path: Path
    predictor: Predictor
    run: Run | None
    resize: bool
    int8: bool
    data_dir: str | Path | None
    offline: bool

    def onnx(self) -> Exported:
        """Into an ONNX file."""
        own, label = self.predictor.classifier, self.predictor.label
        dataset = pictures.data_of(self.run, self.data_dir, offline=self.offline)
        # Before the work of minutes.
        validation = pictures.validation_of(dataset, self.predictor) if self.int8 else None
        model = WithResize(own) if self.resize else own
        graph = onnx_graph.onnx_graph(traced(model, label), label)
        checked, answer = pictures.check_pictures(own, dataset), _answer_by(graph, self.path)
        compared = self._compared(model, checked, answer, "ONNX Runtime")
        if validation is not None:
            graph, compared = self._in_8_bits(graph, compared, *validation)
        return self._written(compared, onnx_graph.with_facts(graph, compared.facts, label))

    def torch(self) -> Exported:
        """Into a program of PyTorch's."""
        own = self.predictor.classifier
        dataset = pictures.data_of(self.run, self.data_dir, offline=self.offline)
        model = WithResize(own) if self.resize else own
        program = traced(model, self.predictor.label)
        # What is compared is a program that was written and read again.
        reread = torch_program.read_program(torch_program.program_bytes(program, {}))
        checked, answer = pictures.check_pictures(own, dataset), torch_program.answer_by(reread)
        compared = self._compared(model, checked, answer, "the exported program")
        return self._written(compared, torch_program.program_bytes(program, compared.facts.metadata()))

    def _compared(
        self, model: Predictable, checked: pictures.CheckPictures, answer: checks.Outputs, by: str
    ) -> "_Compared":
        """What the comparison with torch came to."""
        sized = pictures.of_other_sizes(checked.pixels) if self.resize else [checked.pixels]
        seen = sized[0]
        answered, expected = answer(seen), checks.torch_outputs(model, seen)
        found: dict[str, Any] = {"check": checks.check(model, checked, answered, expected, by)}
        if isinstance(model, WithResize):
            found["resizing"] = checks.resizing_drift(model.model, sized, model.resizing, answer)
        facts = Facts.of(self.predictor.classifier, self.run, any_size=self.resize).model_copy(update=found)
        return _Compared(facts, seen, answered, expected)

    def _in_8_bits(
        self, graph: Any, compared: "_Compared", images: ImageSet, targets: dict[str, Tensor]
    ) -> tuple[Any, "_Compared"]:
        """The graph in whole numbers, with what these cost: scores on validation, and answers beside torch's."""
        objective = self.predictor.objective
        calibrated = quantization.calibration_pictures(images)
        smaller = quantization.quantized(graph, calibrated, any_size=self.resize, path=self.path)
        before, after = (quantization.scores_of(each, images, targets, objective) for each in (graph, smaller))
        answered = _answer_by(smaller, self.path)(compared.images)
        found = {
            "split": "validation",
            "calibrated_on": len(calibrated),
            "images": len(images),
            "before": before,
            "after": after,
            "difference": float((answered.double() - compared.expected.double()).abs().max()),
            "same_classes": checks.agreement(objective, answered, compared.expected),
        }
        facts = compared.facts.model_copy(update={"int8": found})
        return smaller, replace(compared, facts=facts, answered=answered)

    def _written(self, compared: "_Compared", content: bytes) -> Exported:
        """Writes the file and the first pictures of the comparison."""
        write_with_golden(self.path, content, compared.golden)
        return Exported(self.path, (self.path, golden_path(self.path)), compared.facts)


@dataclass(frozen=True)
class _Compared:
    """A file's answers to pictures beside torch's, and the facts that tell of it."""

    facts: Facts
    images: Tensor
    answered: Tensor
    expected: Tensor

    @property
    def golden(self) -> Golden:
        """The first of them."""
        arrays = (tensor[:COUNT].numpy() for tensor in (self.images, self.answered, self.expected))
        return Golden(*arrays)


def _answer_by(graph: Any, path: Path) -> checks.Outputs:
    """What answers pictures by ONNX Runtime."""
    runs = onnx_model.session(graph.SerializeToString(), path)
    return lambda pixels: torch.from_numpy(onnx_model.answers(runs, pixels.numpy()))
