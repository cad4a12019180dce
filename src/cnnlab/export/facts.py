"""What an exported file says of itself, beside the computation."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cnnlab.core.digests import canonical_json
from cnnlab.core.errors import ModelFileError
from cnnlab.core.sinks import visible
from cnnlab.core.version import __version__

if TYPE_CHECKING:
    # An exported file is run without torch, which these load.
    from cnnlab.models import Predictable
    from cnnlab.runs import Run

FORMAT = 1
"""Counts up whenever an older cnnlab could not read what is written."""
KEY = "cnnlab"
_START = r"(?:~|[A-Za-z]:)?[/\\]"
_PATH = re.compile(_START + r"[^\n]*")
_PATH_IN_SPEC = re.compile(rf"([=(,]\s*['\"]?)({_START}[^,)'\"|\n]*)")


class Facts(BaseModel):
    """All that a file is of, and how it was checked.

    :param shape: channels, height and width of the pictures that the network sees.
    :param any_size: whether pictures of other sizes are resized inside.
    :param resize, resampling: how that is done, or was done with the pictures of the training.
    :param classes: class names of each target column that holds classes, in the order of the outputs.
    :param objective: its canonical spec, which says what the outputs mean.
    :param weights: SHA-256 of the weights and running statistics before they were worked into the graph.
    :param run: name and digest of the run, where it is of one; ``recipe`` what that was trained by.
    :param check: ``{by, images, source, difference, same_classes}``, the file's answers beside torch's; of one in 8
        bits those before that.
    :param resizing: ``{images, sizes, …}``, what is resized inside beside Pillow's resizing.
    :param int8: ``{split, calibrated_on, images, before, after, difference, same_classes}``: scores before and after,
        and the answers to the pictures of ``check`` beside torch's, classes as the share that is the same.
    """

    model_config = ConfigDict(strict=True, frozen=True)

    format: int
    cnnlab: str
    shape: list[Annotated[int, Field(gt=0)]] = Field(min_length=3, max_length=3)
    any_size: bool
    resize: str
    resampling: str
    classes: dict[str, list[str]]
    objective: str
    network: str | None = None
    weights: str
    run: dict[str, str] | None = None
    recipe: dict[str, Any] = {}
    check: dict[str, Any] = {}
    resizing: dict[str, Any] | None = None
    int8: dict[str, Any] | None = None

    @classmethod
    def of(cls, model: "Predictable", run: "Run | None", *, any_size: bool = False) -> "Facts":
        """Those of a model before it is checked."""
        from cnnlab.models import weights_digest

        network = getattr(model, "model", None)
        return cls(
            format=FORMAT,
            cnnlab=__version__,
            shape=list(model.shape),
            any_size=any_size,
            resize=model.resize,
            resampling=model.resampling,
            classes=_visible({column: list(names) for column, names in model.classes.items()}),
            objective=model.objective,
            network=visible(without_folders(network)) if isinstance(network, str) else None,
            weights=weights_digest(model),
            run=None if run is None else {"name": run.name, "digest": run.digest},
            recipe={} if run is None else _plain(run.recipe),
        )

    @classmethod
    def read(cls, path: Path, metadata: Mapping[str, str]) -> "Facts":
        """From the metadata of a file.

        :raises ModelFileError: where cnnlab did not write it, or it makes no sense.
        """
        if KEY not in metadata:
            raise ModelFileError(f"{path} was not exported by cnnlab: it does not say what its outputs mean.")
        try:
            content = json.loads(metadata[KEY])
            version = content.get("format")
            if isinstance(version, int) and version > FORMAT:
                raise ModelFileError(
                    f"{path} has format {version}, from a newer cnnlab; this one reads up to {FORMAT}. Update cnnlab."
                )
            # They may be anybody's words.
            return cls.model_validate(_visible(content))
        except (ValueError, AttributeError, RecursionError) as error:
            reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise ModelFileError(f"{path} is damaged: what it says of itself makes no sense ({reason}).") from error

    @property
    def preprocessing(self) -> str:
        """What a program has to do to a picture before it hands it over, as a sentence."""
        channels, height, width = self.shape
        kind = {1: "grey, one channel", 3: "RGB"}.get(channels, f"{channels} channels")
        size = "any height and width" if self.any_size else f"{height} high and {width} wide"
        return f"uint8 N×C×H×W, {kind}, {size}, 0 black and 255 white. Normalisation is inside."

    def metadata(self) -> dict[str, str]:
        """Text by key: all facts as JSON under ``cnnlab``, and what other programs look for under names of its own."""
        names = next(iter(self.classes.values())) if len(self.classes) == 1 else self.classes
        return {
            KEY: canonical_json(self.model_dump()),
            "classes": json.dumps(names, ensure_ascii=False),
            "recipe": json.dumps(self.recipe, ensure_ascii=False),
            "preprocessing": self.preprocessing,
        }


def without_folders(content: Any) -> Any:
    """Plain values in whose texts a path tells its last part alone: where pictures lay is nobody's business.

    Whole texts, and what stands in the place of a value in a spec, are taken for paths where they begin as such do.
    """
    if isinstance(content, str):
        if _PATH.fullmatch(content):
            return _last_part(content)
        return _PATH_IN_SPEC.sub(lambda found: found[1] + _last_part(found[2]), content)
    if isinstance(content, Mapping):
        return {key: without_folders(value) for key, value in content.items()}
    return [without_folders(value) for value in content] if isinstance(content, list) else content


def _last_part(path: str) -> str:
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1] or path


def _plain(content: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe as plain JSON; what JSON has not, such as a date, as text."""
    plain: dict[str, Any] = _visible(without_folders(json.loads(json.dumps(content, default=str))))
    return plain


def _visible(content: Any) -> Any:
    """Plain JSON with the signs that are not seen, or that no file can hold, as escapes in each of its texts."""
    if isinstance(content, str):
        return visible(content)
    if isinstance(content, dict):
        return {_visible(key): _visible(value) for key, value in content.items()}
    return [_visible(value) for value in content] if isinstance(content, list) else content
