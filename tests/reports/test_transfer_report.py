"""The report on a transfer: a row a classifier, columns by backbone, what was chosen, and how to make it again."""

import csv
from pathlib import Path

import pytest
from safetensors.torch import save_file
from torchvision.models import squeezenet1_1

from cnnlab.core import seeds
from cnnlab.core.messages import quietly
from cnnlab.reports import write_runs_report
from cnnlab.reports.contents import transfers as contents
from cnnlab.reports.contents.tables import IntervalEnds
from cnnlab.transfer import TransferRequest
from cnnlab.transfer.api import transfer
from cnnlab.transfer.result import TransferResult
from cnnlab.transfer.statistics import score_interval
from cnnlab.transfer.transfer_file import read_transfer_file

NAMES = ["gaussian-nb", "linear-probe", "svc"]
LAYERS = ["squeezenet1_1 pooled", "squeezenet1_1 fire2"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> TransferResult:
    """Three classifiers on two layers in two repeats, on features of chance."""
    folder = tmp_path_factory.mktemp("transfer")
    with seeds.scope(1, "weights"):
        save_file(squeezenet1_1().state_dict(), folder / "squeeze.safetensors")
    with pytest.MonkeyPatch.context() as patch, quietly():
        patch.setenv("CNNLAB_CACHE", str(folder / "cache"))
        return transfer(
            "digits(size=16)",
            backbones=f"squeezenet1_1(weights={folder / 'squeeze.safetensors'})",
            layer="pooled, fire2",
            classifiers=", ".join(NAMES),
            subset=100,
            repeats=2,
            name="digits",
            runs=folder / "runs",
        )


def test_scores_stand_in_a_row_a_classifier_and_columns_by_backbone(made: TransferResult) -> None:
    table = contents.scores_table(made.run, made, "macro_f1")
    assert [column.label for column in table.columns] == [
        *("classifier", LAYERS[0], f"{LAYERS[0]}: 95% interval", LAYERS[1], f"{LAYERS[1]}: 95% interval")
    ]
    assert [row[0] for row in table.rows] == NAMES
    for row in made.record.rows:
        own = table.rows[NAMES.index(row.classifier)]
        scores = [each.scores["macro_f1"] for each in row.repeats]
        interval = score_interval(row, made.record, "macro_f1")
        assert own[1 + 2 * row.column] == pytest.approx(sum(scores) / 2)
        assert interval is not None and own[2 + 2 * row.column] == IntervalEnds(interval.low, interval.high)


def test_times_choices_and_what_was_found_are_those_on_record(made: TransferResult) -> None:
    record = made.record
    times = contents.times_table(made.run, made)
    fits = [each.fit_seconds for each in record.rows[0].repeats]
    assert times.rows[0][1 + 2 * record.rows[0].column] == pytest.approx(sum(fits) / 2)
    chosen = contents.chosen_table(made.run, made)
    assert [row[:2] for row in chosen.rows] == [(1, 0), (2, 1)]
    for number, choice in enumerate(record.choices):
        best = max(row.repeats[number].scores["macro_f1"] for row in record.rows)
        assert choice.test is not None and chosen.rows[number][3] == best
        assert chosen.rows[number][5:] == (choice.test["macro_f1"], choice.test["accuracy"])
    found = contents.found_table(made.run, made)
    assert found is not None and sum(row[2] for row in found.rows) == 4
    assert all(str(row[0]).startswith("linear-probe on ") for row in found.rows)
    searched = contents.searched_table(made.run, made)
    assert searched is not None and len(searched.rows) == 2 * 7
    assert [column.key for column in searched.columns] == [
        *("search", "candidate", "pictures", "loss", "loss_deviation", "seconds", "repeats", "found")
    ]
    on_record = [each for row in record.rows for each in row.repeats[0].searched if "C=100.0" in each.classifier]
    rows = [row for row in searched.rows if "C=100.0" in str(row[1])]
    assert len(rows) == len(on_record) == 2 and {row[2] for row in rows} == {on_record[0].pictures}
    # Of each probe the best first; two repeats chose one each.
    for place in (0, 7):
        losses = [float(row[3]) for row in searched.rows[place : place + 7]]
        assert losses == sorted(losses) and sum(row[7] for row in searched.rows[place : place + 7]) == 2
    others = contents.differences_table(made.run, made)
    assert len(others.rows) == 5 and {row[-1] for row in others.rows} <= {"better", "worse", "undecided", "identical"}


def test_the_page_tells_of_classifiers_and_not_of_trainings(made: TransferResult, tmp_path: Path) -> None:
    text = write_runs_report([made.run], tmp_path).read_text(encoding="utf-8")
    assert "Which classifier does best on features of squeezenet1_1?" in text
    assert "3 classifiers · 2 kinds of features · 2 repeats" in text and "the best of 6 on validation" in text
    for word in ("was trained", "epoch", "initial weights", "cnnlab train ", "None"):
        assert word not in text.partition("<style>")[0] + text.partition("</style>")[2].partition("<script>")[0], word
    with (tmp_path / "report-files" / "tables" / f"transfer-macro-f1-{made.run.name}.csv").open() as file:
        assert [row["classifier"] for row in csv.DictReader(file)] == NAMES
    # What it says to type asks for the same transfer.
    assert "cnnlab transfer recipes/s0.yaml seed=0" in text
    keys = read_transfer_file(tmp_path / "report-files" / "recipes" / "s0.yaml")
    asked = TransferRequest.read({**keys, "seed": 0})
    assert asked.content == TransferRequest.read(made.run.recipe).content and asked.data == made.run.recipe["data"]


def test_several_transfers_have_sections_of_their_own_beside_the_settings(made: TransferResult, tmp_path: Path) -> None:
    with quietly():
        keys = {key: made.run.recipe[key] for key in ("data", "backbones", "layer", "subset")}
        other = transfer(**keys, classifiers="knn", name="other", runs=made.run.folder.parent)
    text = write_runs_report([made.run, other.run], tmp_path).read_text(encoding="utf-8")
    for run in (made.run, other.run):
        assert f"The classifiers of {run.name}" in text and f"What was chosen of {run.name}" in text
    assert ">Settings</h2>" in text
