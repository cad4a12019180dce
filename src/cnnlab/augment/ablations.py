"""A pipeline taken apart, to see which of its operations helps."""

from collections import Counter
from collections.abc import Iterator

from cnnlab.augment.pipeline import Pipeline, PipelineStep, pipeline


def ablations(spec: object) -> dict[str, str]:
    """The pipelines to compare, by what they are called: nothing, each operation alone, all, all but each.

    Those that would say the same as an earlier one are left out: of two operations, ``all but`` one is the other
    ``only``.

    >>> list(ablations("flip|rotate(10)|erase"))
    ['none', 'only flip', 'only rotate', 'only erase', 'all', 'all but flip', 'all but rotate', 'all but erase']

    :returns: canonical specs, in this order.
    :raises SpecError: when the pipeline cannot be read.
    """
    by_label: dict[str, str] = {}
    for label, steps in _variants(pipeline(spec)):
        text = Pipeline(steps).spec
        if text not in by_label.values():
            by_label[label] = text
    return by_label


def labels(whole: Pipeline) -> list[str]:
    """A short name for each step: the operation's, with a number where it stands there several times."""
    names = [step.bound.name for step in whole.steps]
    total, seen, result = Counter(names), Counter[str](), []
    for name in names:
        seen[name] += 1
        result.append(f"{name} {seen[name]}" if total[name] > 1 else name)
    return result


def _variants(whole: Pipeline) -> Iterator[tuple[str, list[PipelineStep]]]:
    steps, names = list(whole.steps), labels(whole)
    yield "none", []
    for name, step in zip(names, steps, strict=True):
        if len(steps) > 1:
            yield f"only {name}", [step]
    yield "all", steps
    for place, name in enumerate(names):
        yield f"all but {name}", steps[:place] + steps[place + 1 :]
