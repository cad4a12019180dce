"""What fools a run: attacks that were carried out on it before, and their figures. None is carried out for a report."""

from collections.abc import Iterable

from cnnlab.attacks import Adversarial, stored_attacks
from cnnlab.core.errors import CnnlabError
from cnnlab.reports.attacks.folder import ATTACKED, FOLDER
from cnnlab.reports.contents.attacks import attack_table, attack_words, doubts_table
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.explanations.folder import stored_explanations
from cnnlab.reports.sections.base import Section, section
from cnnlab.reports.sections.explanations import reported_run, stored_pictures


@section(106)
def attacks(subject: ReportSubject) -> Iterable[Section]:
    """One section, of the run that the report is on, or of several the first of the best."""
    run = reported_run(subject)
    if run is None or not (run.folder / FOLDER).is_dir():
        return
    found, reasons = stored_attacks(run.folder)
    found = tuple(sorted((each for each in found if each.right.any()), key=_order))
    pictures, left_out = stored_pictures(run.folder / FOLDER, stored_explanations(run.folder / FOLDER, ATTACKED))
    if not found and not pictures:
        return
    text = f"Made by cnnlab attack and cnnlab fool, and found beside {run.name}. An attack that fails proves nothing: "
    text += "a stronger one may succeed."
    text += f" {left_out} more figures are in {FOLDER} beside it." if left_out else ""
    text += f" Left out: {' '.join(reasons)}" if reasons else ""
    names = [_name(each) for each in found]
    tables = (attack_table(found, names), doubts_table(found, names)) if found else ()
    yield Section("attacks", "What fools it", text, tables=tuple(filter(None, tables)), pictures=pictures)


def _order(found: Adversarial) -> tuple[str, str, float, str]:
    """By attack and norm, and of these by the budget."""
    return found.attack.partition("(")[0], found.norm or "", found.eps or 0.0, found.attack


def _name(found: Adversarial) -> str:
    """The attack in short, and what it was carried out on where that is not all of test."""
    try:
        short = attack_words(found.attack)
    except CnnlabError:
        # Of a version that knew other attacks.
        short = found.attack
    source = found.source
    return short if source is None or source.split == "test" else f"{short}, {source.split} of {source.data}"
