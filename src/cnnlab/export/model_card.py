"""The card of a model, filled from the record of its run: Markdown under YAML that the Hugging Face Hub reads."""

from collections.abc import Iterator
from typing import Any

from cnnlab.core import yaml
from cnnlab.core.number_text import counted, with_minus
from cnnlab.core.sinks import for_markdown, in_short, visible
from cnnlab.evaluation import run_intervals
from cnnlab.evaluation.intervals import Interval
from cnnlab.export.facts import Facts, without_folders
from cnnlab.models import Classifier
from cnnlab.models.shapes import format_shape
from cnnlab.runs import Run

_SPLITS = ("test", "validation")
_TASK = "image-classification"


def model_card(classifier: Classifier, facts: Facts, run: Run | None) -> str:
    """The whole card. What the record does not know, such as a licence, is left for its author to add."""
    front = yaml.dump(front_matter(classifier, facts, run)).strip()
    parts = ["---", front, "---", "", f"# {for_markdown(_title(facts))}", "", *_about(classifier, facts, run)]
    return "\n".join(parts).rstrip() + "\n"


def front_matter(classifier: Classifier, facts: Facts, run: Run | None) -> dict[str, Any]:
    """What stands above a card for programs: library, task, and scores on test as the Hub's ``model-index``."""
    content: dict[str, Any] = {"library_name": "cnnlab", "tags": ["cnnlab"]}
    if facts.classes:
        content |= {"pipeline_tag": _TASK, "tags": ["cnnlab", _TASK]}
    split = _scored(run)
    if run is not None and split is not None:
        data = visible(str((run.info.get("data") or {}).get("name") or "unknown"))
        metrics = [
            {"type": name, "name": name.replace("_", " "), "value": float(value)}
            for name, value in run.scores(split).items()
            if value == value
        ]
        content["metrics"] = [metric["type"] for metric in metrics]
        result = {
            "task": {"type": _TASK if facts.classes else "image-regression"},
            "dataset": {"name": data, "type": data, "split": split},
            "metrics": metrics,
        }
        content["model-index"] = [{"name": visible(_title(facts)), "results": [result]}]
    return content


def _title(facts: Facts) -> str:
    return facts.run["name"] if facts.run else "classifier"


def _scored(run: Run | None) -> str | None:
    return None if run is None else next((split for split in _SPLITS if run.scores(split)), None)


def _about(classifier: Classifier, facts: Facts, run: Run | None) -> Iterator[str]:
    numbers = sum(parameter.numel() for parameter in classifier.parameters())
    yield f"`{_in_code(without_folders(classifier.model))}`, {numbers:,} parameters; exported by cnnlab {facts.cnnlab}."
    yield ""
    yield from ("## Use", "", "```python", "import cnnlab", "")
    yield 'model = cnnlab.open_model("model.safetensors")'
    yield from ('cnnlab.predict(model, ["picture.png"]).frame()', "```", "")
    yield f"It takes pictures of {format_shape(classifier.shape)}; those of other sizes are brought to it by"
    yield f"`resize={classifier.resize}`. Normalisation is inside."
    yield from ("", "## Classes" if facts.classes else "## What is predicted", "")
    yield f"`objective={_in_code(classifier.objective)}`"
    for column, names in facts.classes.items():
        yield f"\nOf {for_markdown(column)}: {', '.join(for_markdown(in_short(name)) for name in names)}."
    if run is not None:
        yield from _results(run)
        yield from ("", "## Training", "", "```yaml", _fenced(yaml.dump(without_folders(dict(run.given)))), "```")
        yield from ("", *_limits(run))


def _results(run: Run) -> Iterator[str]:
    split = _scored(run)
    if split is None:
        return
    scores, intervals = run.scores(split), run_intervals(run).get(split, {})
    data = for_markdown(str((run.info.get("data") or {}).get("name") or "unknown"))
    yield from ("", "## Results", "", f"On {counted(scores.n, 'picture')} of the {split} split of {data}.", "")
    yield from ("| metric | value | 95% interval over pictures |", "|---|---|---|")
    for name, value in scores.items():
        said = with_minus(f"{value:.4g}")
        yield f"| {for_markdown(name.replace('_', ' '))} | {said} | {_said(intervals.get(name))} |"


def _said(interval: Interval | None) -> str:
    return "" if interval is None else with_minus(f"{interval.low:.4g} to {interval.high:.4g}")


def _limits(run: Run) -> Iterator[str]:
    yield from ("## Limits", "")
    yield "This is one training; another from other random numbers would score a little otherwise. The interval is over"
    yield "pictures like these, and says nothing of pictures from elsewhere."
    if run.fitted_on:
        yield f"\nIts numbers or members were fitted or chosen on {', '.join(run.fitted_on)}, whose scores flatter it."
    if run.status != "finished":
        yield f"\nIts training is not finished: these are weights after {counted(run.epochs_done, 'epoch')}."
    for line in run.diagnosis.lines if run.diagnosis else ():
        yield f"\n{for_markdown(line)}"


def _in_code(text: str) -> str:
    """Text between backticks."""
    return " ".join(visible(text).split()).replace("`", "'")


def _fenced(text: str) -> str:
    """Text within a fence, which no line of it closes."""
    return visible(text).replace("```", "'''").rstrip()
