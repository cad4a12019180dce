"""What was found, in sentences: every one names its numbers, what they are for, and what they leave out."""

from collections.abc import Iterable, Sequence

from cnnlab.evaluation import Unit
from cnnlab.evaluation.comparison.power import MOST
from cnnlab.evaluation.comparison.results import p_text
from cnnlab.studies.result import RepeatsNeeded, SettingComparison, Trial

_FAILED = {"nan": "diverged", "memory": "ran out of memory", "crash": "died", "member": "lacked a member"}
_OF_SPEED = {"better": "faster", "worse": "slower"}
_SPEEDS = ("s", "images/s")
_MEANT = {"seen": "the one seen", "smallest": "the smallest that matters"}


def sentence(comparison: SettingComparison, names: tuple[str, str], unit: Unit) -> str:
    """The verdict of a comparison with its numbers.

    :param names: of the setting and of the reference.
    """
    setting, reference = names
    numbers = numbers_of(comparison, unit, comparison.smallest)
    numbers = f" ({numbers})" if numbers else ""
    where = " on these pictures, and perhaps not on new ones like these" if comparison.is_for_these_images else ""
    if comparison.verdict in ("better", "worse"):
        return f"{setting} is {_verdict(comparison, unit)} than {reference}{_less(comparison, unit)}{where}{numbers}."
    if comparison.verdict == "differ":
        return f"{setting} and {reference} differ on these pictures{numbers}."
    if comparison.verdict == "alike":
        return f"{setting} and {reference} differ by less than {unit.text(comparison.smallest or 0.0)}{where}{numbers}."
    if comparison.verdict == "identical":
        if comparison.is_of_single_runs:
            return f"{setting} and {reference} are right about the same pictures{numbers}."
        return f"{setting} and {reference} came out the same in every repeat."
    if comparison.verdict == "untested":
        return f"{setting} against {reference}: not tested{numbers}: {comparison.why}."
    if comparison.why:
        return f"{setting} against {reference}: undecided{numbers}, because {comparison.why}."
    what = "pictures" if comparison.is_of_single_runs else "repeats"
    return f"{setting} against {reference}: not enough {what} to tell{numbers}{needed_words(comparison.needed, unit)}."


def _verdict(comparison: SettingComparison, unit: Unit) -> str:
    """The word of a verdict; what takes less time is not better for it."""
    return _OF_SPEED.get(comparison.verdict, comparison.verdict) if unit.name in _SPEEDS else comparison.verdict


def numbers_of(comparison: SettingComparison, unit: Unit, margin: float | None = None) -> str:
    """The difference, its intervals and the adjusted p-value, as they stand in brackets.

    :param margin: to either side of zero, where the ends of the interval are held against it.
    """
    against = () if margin is None else (-margin, margin)
    parts = []
    if comparison.difference is not None:
        parts.append(unit.signed(comparison.difference))
    if comparison.low is not None and comparison.high is not None:
        ends = unit.range(comparison.low, comparison.high, sign=True, against=against, around=comparison.difference)
        parts.append(f"95% interval {ends}{_on_new_images(comparison, unit, against)}")
    if comparison.p is not None:
        test = {"exact McNemar": "McNemar ", "rank-sum": "by ranks, "}.get(comparison.test, "")
        parts.append(f"{test}{p_text(comparison.p)}")
    return ": ".join(part for part in (", ".join(parts), comparison.details) if part)


def _on_new_images(comparison: SettingComparison, unit: Unit, against: tuple[float, ...]) -> str:
    if comparison.new_low is None or comparison.new_high is None:
        return ""
    ends = unit.range(comparison.new_low, comparison.new_high, sign=True, against=against, around=comparison.difference)
    return f" on these pictures and {ends} on new ones like these"


def needed_words(needed: Sequence[RepeatsNeeded], unit: Unit) -> str:
    """What it takes to see which difference; empty where nothing is known of it."""
    parts = [_needed(one, unit) for one in needed]
    return f"; {', and '.join(parts)}" if parts else ""


def within_margin(comparison: SettingComparison, names: tuple[str, str], unit: Unit, margin: float, source: str) -> str:
    """What a claim of no difference comes to, the margin always written out.

    :param source: what is to be said of where the margin is from.
    """
    setting, reference = names
    size, numbers = f"{unit.text(margin)}{source}", f" ({numbers_of(comparison, unit, margin)})"
    low, high = comparison.low, comparison.high
    if low is None or high is None:
        return f"{sentence(comparison, names, unit)} The margin is {size}."
    is_called = comparison.verdict in ("better", "worse")
    verb = (
        f"{setting} is {_verdict(comparison, unit)} than {reference},"
        if is_called
        else f"{setting} and {reference} differ"
    )
    if -margin <= low and high <= margin:
        return f"{verb} by less than the margin of {size}{numbers}."
    if low > margin or high < -margin:
        return f"{verb} by more than the margin of {size}{numbers}."
    if is_called:
        return f"{verb} and not enough repeats to tell whether by more than the margin of {size}{numbers}."
    return (
        f"{setting} against {reference}: not enough repeats to tell whether they differ by more than the margin of "
        f"{size}{numbers}{needed_words(comparison.needed, unit)}."
    )


def left_out(label: str, trials: Sequence[Trial], total: int) -> str:
    """Which repeats of a setting have no number, in a sentence."""
    verb = "is" if len(trials) == 1 else "are"
    return f"{len(trials)} of {total} repeats of {label} {verb} left out: {named(trials)}."


def named(trials: Iterable[Trial]) -> str:
    """Trials by their seeds and what became of them: ``seeds 1 and 2 diverged, seed 3 died``."""
    by_fate: dict[str, list[int]] = {}
    for trial in trials:
        fate = _FAILED.get(str(trial.failure), "failed") if trial.status == "failed" else trial.status
        by_fate.setdefault(fate, []).append(trial.seed)
    return ", ".join(_fate(seeds, fate) for fate, seeds in by_fate.items())


def _fate(seeds: Sequence[int], fate: str) -> str:
    is_one, words = len(seeds) == 1, [str(seed) for seed in seeds]
    shown = f"seed {words[0]}" if is_one else f"seeds {', '.join(words[:-1])} and {words[-1]}"
    if fate == "missing":
        return f"{shown} {'is' if is_one else 'are'} not trained to the end yet"
    if fate == "finished":
        return f"{shown} {'has' if is_one else 'have'} no such number"
    if fate == "pruned":
        return f"{shown} {'was' if is_one else 'were'} stopped early"
    return f"{shown} {fate}"


def _less(comparison: SettingComparison, unit: Unit) -> str:
    """Of a difference that is there and does not matter."""
    small = comparison.smallest
    if small is None or comparison.low is None or comparison.high is None:
        return ""
    return f", by less than {unit.text(small)}" if -small < comparison.low and comparison.high < small else ""


def _needed(one: RepeatsNeeded, unit: Unit) -> str:
    size = f"a difference of {unit.text(one.difference)}, {_MEANT[one.what]},"
    if one.more == 0:
        return f"{size} would show with these repeats four times out of five"
    number = f"over {MOST:,}" if one.more is None else f"about {one.more:,}"
    return f"{size} takes {number} more repeat{'' if one.more == 1 else 's'} of each"
