"""The answer to a study's question in two sentences, no surer than its statistics are."""

from collections.abc import Sequence

from cnnlab.core.number_text import counted
from cnnlab.evaluation.comparison.results import p_text
from cnnlab.reports.contents import transfers
from cnnlab.reports.contents.report_subject import ReportSubject, is_transfer
from cnnlab.reports.contents.tables import IntervalEnds, listed, range_text, text_of, with_unit
from cnnlab.runs.run_info import QUICK
from cnnlab.studies.result import Family, MetricSummary, Setting, SettingComparison
from cnnlab.studies.statistics.tables import difference_unit
from cnnlab.studies.statistics.wording import needed_words

_MOST_NAMED = 3
NARROW = "\u00a0"
"""A space at which no line is broken."""
_NOTHING_OF_RECIPES = "one training each says nothing of the recipes"


def answer(subject: ReportSubject) -> tuple[str, str]:
    """What came out, and how sure that is."""
    best = subject.best
    if best is None:
        return "There is no answer yet.", "No trial has finished with a number to judge by."
    made = [result for _, result in transfers.transfers(subject)]
    if len(made) == len(subject.result.settings) == 1:
        return transfers.answer(made[0])
    if len(subject.quick) == len(subject.result.settings):
        return f"This was a quick trial: {QUICK}.", _gone_through(subject)
    if subject.quick:
        named = listed([subject.label(setting.key) for setting in subject.quick])
        return f"There is no answer: {named} was a quick trial, {QUICK}.", "Leave it out, or train it in full."
    return _first(subject, best), _second(subject, best)


def _gone_through(subject: ReportSubject) -> str:
    """What a quick trial does tell."""
    trials = [trial for setting in subject.result.settings for trial in setting.trials]
    finished = sum(trial.status == "finished" for trial in trials)
    return f"{finished} of {counted(len(trials), 'training')} went through to the end."


def _first(subject: ReportSubject, best: Setting) -> str:
    summary = subject.summary(best)
    if summary is None or summary.mean is None:
        return ""
    count = len(subject.result.settings)
    metric = subject.metric
    value = with_unit(summary.mean, metric.unit)
    label = subject.label(best.key)
    if count == 1:
        return f"{label} reaches a {metric.label} of {value}{_spread(best, summary, metric.unit)}."
    if subject.unlike:
        return _each(subject)
    word = "highest" if metric.better == "higher" else "lowest"
    among = "Of two settings" if count == 2 else f"Of {count:,} settings"
    chosen = f"not corrected for its being the {word} of {count:,}"
    shown = f"{label} has the {word} {metric.label}: {value}{_spread(best, summary, metric.unit, chosen)}"
    return f"{among}, {shown}{_without_number(subject, best)}."


def _each(subject: ReportSubject) -> str:
    """What each comes to, where none of them is the best."""
    unit = subject.metric.unit
    values = [f"{with_unit(subject.mean(setting), unit)} by {subject.label(setting.key)}" for setting in subject.ranked]
    more = len(values) - _MOST_NAMED
    if more > 1:
        values = [*values[:_MOST_NAMED], f"{more} more in the table"]
    return f"The {subject.metric.label} is {listed(values)}."


def _spread(setting: Setting, summary: MetricSummary, unit: str, chosen: str = "") -> str:
    is_ensemble = "ensemble" in setting.recipe or bool(setting.recipe.get("folds") and not setting.recipe.get("fold"))
    one = "one ensemble" if is_ensemble else "one transfer" if is_transfer(setting.recipe) else "one training"
    parts = [f"mean of {counted(summary.n, 'repeat')}"] if summary.n > 1 else [one]
    if summary.low is not None and summary.high is not None:
        ends = f"{text_of(summary.low, unit)} to {with_unit(summary.high, unit)}"
        of_what = "" if summary.n > 1 else " of this very classifier on other pictures"
        where = ""
        if summary.new_low is not None and summary.new_high is not None:
            new = f"{text_of(summary.new_low, unit)} to {with_unit(summary.new_high, unit)}"
            where = f" on these pictures and {new} on new ones like these"
        parts.append(f"95% interval{of_what} {ends}{where}")
        parts += [chosen] if chosen else []
    lost = len(setting.trials) - len(setting.finished)
    if lost:
        parts.append(f"{lost} of its {counted(len(setting.trials), 'training')} left out")
    return f" ({', '.join(parts)})"


def _without_number(subject: ReportSubject, best: Setting) -> str:
    """What of the other settings failed or was stopped, and is in no mean."""
    others = [trial for setting in subject.result.settings if setting is not best for trial in setting.trials]
    parts = []
    for status, verbs, words in (
        ("failed", ("", ""), "failed"),
        ("pruned", ("was ", "were "), "stopped early"),
        ("missing", ("is ", "are "), "not trained yet"),
    ):
        count = sum(trial.status == status for trial in others)
        parts += [f"{count:,} {verbs[count > 1]}{words}"] if count else []
    return f"; of {counted(len(others), 'training')} of the others {listed(parts)}" if parts else ""


def _second(subject: ReportSubject, best: Setting) -> str:
    if len(subject.result.settings) == 1:
        return "There is one setting only, so there is nothing to compare it with."
    if subject.unlike:
        return subject.unlike
    family = next((candidate for candidate in subject.result.families if candidate.metric == subject.metric.name), None)
    if family is None or not family.comparisons:
        return "The settings were not tested against each other, so which is best may be chance."
    if all(comparison.p is None for comparison in family.comparisons):
        return f"Whether that is more than chance cannot be told: {_lowered(family.why)}"
    own = [comparison for comparison in family.comparisons if best.key in (comparison.setting, comparison.reference)]
    if own and all(comparison.is_of_single_runs for comparison in own):
        return _of_single_runs(subject, own)
    if family.kind == "baseline":
        return _against_baseline(subject, best, family)
    return _among_pairs(subject, best, family)


def _of_single_runs(subject: ReportSubject, own: Sequence[SettingComparison]) -> str:
    """What one training each tells: of these classifiers, and never which setting is better."""
    differ = [comparison for comparison in own if comparison.verdict == "differ"]
    if len(own) == 1:
        (only,) = own
        if differ:
            return f"These two classifiers differ on these pictures ({_numbers(subject, only)}); {_NOTHING_OF_RECIPES}."
        if only.verdict == "identical":
            return f"Both are right about the same pictures; {_NOTHING_OF_RECIPES}."
        return (
            f"There are not enough pictures to tell these two classifiers apart ({_numbers(subject, only)}), and "
            f"{_NOTHING_OF_RECIPES}."
        )
    others = _all(len(own)) if len(differ) == len(own) else f"{len(differ)} of the {len(own)} others"
    return (
        f"On these pictures this classifier differs from {others} (McNemar's exact test, adjusted after Holm); "
        f"{_NOTHING_OF_RECIPES}."
    )


def _against_baseline(subject: ReportSubject, best: Setting, family: Family) -> str:
    reference = family.comparisons[0].reference
    label = subject.label(reference)
    name = f"the baseline, {label}" if subject.is_study else f"{label}, the best on validation"
    if best.key == reference:
        better = [comparison for comparison in family.comparisons if comparison.verdict == "better"]
        worse = [comparison for comparison in family.comparisons if comparison.verdict == "worse"]
        itself = "the baseline itself" if subject.is_study else "also the best on validation"
        return f"That is {itself}: {_tally(subject, better, worse, family.comparisons)}."
    own = next((comparison for comparison in family.comparisons if comparison.setting == best.key), None)
    if own is None or own.p is None:
        return f"It was not compared with {name}{f': {own.why}' if own and own.why else ''}."
    if own.difference is None:
        return own.sentence
    numbers = _numbers(subject, own)
    if own.verdict == "better":
        return f"It is better than {name}, by more than chance{_perhaps([own])} ({numbers})."
    if own.verdict == "worse":
        return f"Seed by seed it is worse than {name}{_perhaps([own])} ({numbers})."
    if own.verdict in ("identical", "alike"):
        return f"It does as well as {name}{_perhaps([own])} ({numbers})."
    if own.why:
        return f"Whether it is better than {name} is not decided ({numbers}): {own.why}."
    return (
        f"There are not enough repeats to tell it from {name} ({numbers})"
        f"{needed_words(own.needed, difference_unit(subject.metric))}."
    )


def _among_pairs(subject: ReportSubject, best: Setting, family: Family) -> str:
    every = [comparison for comparison in family.comparisons if best.key in (comparison.setting, comparison.reference)]
    own = [comparison for comparison in every if comparison.verdict != "untested"]
    beaten = [comparison for comparison in own if _verdict_for(comparison, best.key) == "better"]
    rivals = _named([_other(subject, comparison, best.key) for comparison in own if comparison not in beaten])
    end = f"({family.method}, 95% level){_too_few(len(every) - len(own))}."
    if not own:
        return "It was not compared with the others."
    if not rivals:
        others = _all(len(own)) if len(own) == len(every) else f"{len(own)} of the {len(every)} others"
        return f"It is better than {others} by more than chance{_perhaps(beaten)} {end}"
    if not beaten:
        return f"There are not enough repeats to tell it from {rivals} {end}"
    return (
        f"It is better than {len(beaten)} of the {len(every)} others by more than chance{_perhaps(beaten)}, but there "
        f"are not enough repeats to tell it from {rivals} {end}"
    )


def _tally(
    subject: ReportSubject,
    better: Sequence[SettingComparison],
    worse: Sequence[SettingComparison],
    every: Sequence[SettingComparison],
) -> str:
    untested = sum(comparison.verdict == "untested" for comparison in every)
    count = len(every) - untested
    if better:
        text = f"{_named([subject.label(comparison.setting) for comparison in better])} came out better seed by seed"
    elif not worse:
        text = "no other setting is better or worse by more than chance, and there are not enough repeats to tell more"
    elif len(worse) == len(every):
        text = f"{_all(count)} {'is' if count == 1 else 'are'} worse by more than chance"
    else:
        text = f"{len(worse)} of {len(every)} others {'is' if len(worse) == 1 else 'are'} worse by more than chance"
        text += "; for the rest there are not enough repeats" if len(worse) < count else ""
    return f"{text}{_perhaps(better or worse)}{_too_few(untested)}"


def _perhaps(called: Sequence[SettingComparison]) -> str:
    """Which of these verdicts about the pictures tested need not hold on new ones."""
    count = sum(comparison.is_for_these_images for comparison in called)
    if not count:
        return ""
    return f", {f'{count} of them ' if len(called) > 1 else ''}perhaps only on these pictures"


def _too_few(count: int) -> str:
    if not count:
        return ""
    return f"; {count} {'has' if count == 1 else 'have'} too few numbers to be compared"


def _numbers(subject: ReportSubject, comparison: SettingComparison) -> str:
    unit = subject.metric.unit
    parts = [with_unit(comparison.difference, unit, sign=True)]
    if comparison.low is not None and comparison.high is not None:
        ends = IntervalEnds(comparison.low, comparison.high)
        new = ""
        if comparison.new_low is not None and comparison.new_high is not None:
            shown = range_text(IntervalEnds(comparison.new_low, comparison.new_high), unit, sign=True)
            new = f" on these pictures and {shown} on new ones like these"
        parts.append(f"95% interval {range_text(ends, unit, sign=True)}{new}")
    if comparison.p is not None:
        test = "McNemar " if comparison.is_of_single_runs else ""
        parts.append(f"{test}{p_text(comparison.p)}".replace(" ", NARROW))
    return ", ".join(parts)


def _verdict_for(comparison: SettingComparison, key: str) -> str:
    """The verdict of the setting of this key, whichever of the two it is."""
    if comparison.setting == key:
        return comparison.verdict
    return {"better": "worse", "worse": "better"}.get(comparison.verdict, comparison.verdict)


def _other(subject: ReportSubject, comparison: SettingComparison, key: str) -> str:
    return subject.label(comparison.reference if comparison.setting == key else comparison.setting)


def _all(count: int) -> str:
    return {1: "the other", 2: "both others"}.get(count, f"all {count} others")


def _named(labels: Sequence[str]) -> str:
    if len(labels) <= _MOST_NAMED:
        return listed(labels)
    return listed([*labels[:_MOST_NAMED], f"{len(labels) - _MOST_NAMED} more"])


def _lowered(text: str) -> str:
    """A sentence to go on another with."""
    is_word = text.split(" ", 1)[0][1:].islower()
    return text[:1].lower() + text[1:] if is_word else text
