"""What a report says of an ensemble."""

from pathlib import Path

import pytest

import cnnlab
from cnnlab.core.measurements import MeasuredRuns, read_measure
from cnnlab.ensembles import read_record
from cnnlab.reports import write_runs_report
from cnnlab.runs import Run


def test_a_report_shows_the_ensemble_beside_its_members_and_how_to_make_it_again(
    members: list[Run], tmp_path: Path
) -> None:
    run = cnnlab.ensemble(members, "weights", name="committee")
    page = write_runs_report([run, *members], tmp_path / "report").read_text()
    files = tmp_path / "report" / "report-files"
    assert "What difference does an ensemble make?" in page and f"The ensemble {run.name}" in page
    for kind in ("ensemble", "ensemble-sizes", "ensemble-diversity"):
        assert (files / "figures" / f"{kind}-{run.name}.svg").is_file()
    for kind in ("without", "calibration", "gains"):
        assert (files / "tables" / f"ensemble-{kind}-{run.name}.csv").is_file()
    names = " ".join(member.name for member in members)
    assert f"cnnlab ensemble {names} method=weights" in page
    rows = (files / "tables" / f"ensemble-{run.name}.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["member", *(member.name for member in members), "committee"]
    analysis = read_record(run).analysis
    assert analysis is not None and analysis.against is not None
    assert "is an ensemble of" in page and "what was fitted was fitted on validation" in page


@pytest.mark.usefixtures("no_pdf")
def test_an_ensemble_alone_is_reported_on_without_a_word_of_training_it(members: list[Run], tmp_path: Path) -> None:
    run = cnnlab.ensemble(members, "vote")
    page = write_runs_report([run], tmp_path / "report").read_text()
    assert "one ensemble" in page and "one training" not in page
    assert "Each was trained" not in page and "Learning curves" not in page and "weights of the epoch" not in page


@pytest.mark.usefixtures("no_pdf")
def test_one_whose_record_is_gone_is_reported_on_as_far_as_it_goes(members: list[Run], tmp_path: Path) -> None:
    run = cnnlab.ensemble(members)
    (run.folder / "ensemble.json").unlink()
    assert "Settings" in write_runs_report([run], tmp_path / "report").read_text()


@pytest.mark.parametrize("name", ["seconds", "epochs", "images_per_second"])
def test_what_was_not_trained_has_no_cost_of_training(name: str, members: list[Run]) -> None:
    measure = read_measure(name, MeasuredRuns({}, {}, "accuracy", lambda _: "higher"))
    assert measure.value(cnnlab.ensemble(members)) is None and measure.value(members[0]) is not None
