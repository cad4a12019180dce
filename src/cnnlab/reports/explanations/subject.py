"""What is explained: a model with its name, the pictures that are shown to it, and what of it is asked about."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cnnlab.core.errors import UsageError
from cnnlab.core.registry import BoundCall
from cnnlab.core.sinks import in_short
from cnnlab.evaluation import Predictor, open_model, predictor_of
from cnnlab.explain.attribution import Method
from cnnlab.explain.chosen_pictures import SPLITS, ChosenPictures, chosen_pictures
from cnnlab.explain.honesty.verdicts import Verdicts
from cnnlab.explain.layers import last_map, passes_of
from cnnlab.explain.opened import grey_picture
from cnnlab.models import Predictable
from cnnlab.runs import Run


@dataclass(frozen=True, eq=False)
class ExplainSubject:
    """A model and what is asked about it.

    :param model: a run, or a model by itself; ``name`` what captions call it.
    :param images: words for pictures, as :func:`~cnnlab.explain.chosen_pictures.chosen_pictures` takes them.
    :param layer: by its name in the summary; a usual one of each kind unless given.
    :param targets: classes that are explained; what the model predicts of each picture unless given.
    :param channels: of the layer, by their numbers; the strongest or the first unless given.
    :param beside: other models, by their names, and where data sets are compared other data.
    :param runs: the folder in which runs are looked for by name.
    :param raw: whether raw maps stand beside those for the eye.
    :param is_all: whether all kinds are asked for at once, each in short.
    :param methods: the attributions asked for.
    """

    model: Run | Predictable
    name: str
    images: tuple[str, ...] = ()
    layer: str | None = None
    targets: tuple[str, ...] = ()
    channels: tuple[int, ...] = ()
    beside: tuple[str, ...] = ()
    runs: Path | str | None = None
    raw: bool = False
    is_all: bool = False
    methods: tuple[BoundCall[Method], ...] = ()
    seed: int = 0
    device: str | None = None
    data_dir: Path | None = None
    offline: bool = False

    @property
    def run(self) -> Run | None:
        """The run, where it is one."""
        return self.model if isinstance(self.model, Run) else None

    @cached_property
    def predictor(self) -> Predictor:
        """The model as it predicts."""
        return predictor_of(self.model, device=self.device)

    @cached_property
    def verdicts(self) -> Verdicts:
        """What was found of how far this model's maps can be trusted, which captions of them say."""
        return Verdicts(self.predictor.classifier, self.run)

    @cached_property
    def pictures(self) -> ChosenPictures:
        """The pictures that are explained."""
        return chosen_pictures(self.model, self.images, seed=self.seed, **self.where)

    @property
    def where(self) -> dict[str, Any]:
        """On which device it is computed, and where data is looked for."""
        return {"device": self.device, "data_dir": self.data_dir, "offline": self.offline}

    @property
    def has_pictures(self) -> bool:
        """Whether there are any, without reading them."""
        return bool(self.images) or self.run is not None

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits among the words for pictures, in their order."""
        found = (word.partition(":")[0] for word in self.images)
        return tuple(dict.fromkeys(word for word in found if word in SPLITS))

    def own_run(self, what: str) -> Run:
        """The run.

        :param what: needs one, for the message.
        :raises UsageError: for a model by itself.
        """
        if self.run is None:
            raise UsageError(f"{what} of a run, which has data and predictions on record; {self.name} has none.")
        return self.run

    def last_map(self) -> str:
        """The last feature map of the network, by its name in the summary.

        :raises UsageError: for a network that has none.
        """
        with self.predictor.placed() as model:
            return last_map(model, passes_of(model, grey_picture(model)))

    def other(self, name: str) -> Run | Predictable:
        """One of those that the model is set beside.

        :raises RunNotFoundError: when there is neither a run nor a file of that name.
        """
        return open_model(name, runs=self.runs, offline=self.offline)

    def scored_split(self, run: Run) -> str:
        """The split asked about: that of the pictures, else test, or where that was not scored validation."""
        known = [split for split in ("test", "validation") if split in run.splits]
        return self.splits[0] if self.splits else (known or ["test"])[0]


def explain_subject(
    model: Run | Predictable | str | Path,
    *,
    images: Sequence[str | Path] = (),
    targets: Sequence[str] = (),
    channels: Sequence[int] = (),
    beside: Sequence[str | Path] = (),
    runs: Path | str | None = None,
    offline: bool = False,
    **options: Any,
) -> ExplainSubject:
    """The model opened, with its name, and what is asked about it.

    :param options: the rest of :class:`ExplainSubject`.
    :raises RunNotFoundError: when there is neither a run nor a file of that name.
    """
    found = open_model(model, runs=runs, offline=offline)
    named: dict[str, Any] = {"images": tuple(map(str, images)), "targets": tuple(targets), "channels": tuple(channels)}
    named |= {"beside": tuple(map(str, beside)), "runs": runs, "offline": offline}
    return ExplainSubject(found, called(model, found), **named, **options)


def called(given: object, found: Run | Predictable) -> str:
    """``run NAME``, ``pretrained:NETWORK`` without its arguments, or the name of a file."""
    if isinstance(found, Run):
        return f"run {in_short(found.name)}"
    if not isinstance(given, str | Path):
        return "the classifier"
    text = str(given).partition("(")[0]
    return in_short(text if text.startswith("pretrained:") else Path(text).name)
