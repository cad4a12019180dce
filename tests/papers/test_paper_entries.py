"""Entries from their files to their verdicts."""

import base64
import json
import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnlab.core.durations import short_duration
from cnnlab.core.errors import CnnlabError, RunBusyError, UsageError
from cnnlab.papers import Paper
from cnnlab.papers.carrying_out import carried_out, questions
from cnnlab.papers.expectations import Expectation, note_expected, read_order, read_spread
from cnnlab.papers.format import SCALES
from cnnlab.papers.report import write_paper_report
from cnnlab.papers.result import stored
from cnnlab.papers.sheets import blank_sheet, new_paper
from cnnlab.papers.studies import StudyEntry
from cnnlab.papers.summary import write_paper_reports
from cnnlab.papers.transfers import TransferEntry
from cnnlab.runs import RunStore

NO_COMMANDS = dict.fromkeys(("trainings", "commands", "numbers", "repeats", "claims", "published"))


@pytest.fixture
def paper(write_paper: Callable[..., Path], tmp_path: Path) -> Paper:
    return Paper(write_paper(), runs=tmp_path / "runs")


def test_a_study_is_trained_at_its_scale_and_its_claims_are_put_together(
    paper: Paper, forked_workers: Callable[[str], object]
) -> None:
    result = paper.run("rates", workers=1)
    assert [claim.verdict for claim in result.claims] == ["supported", "contradicted", "not judged"]
    assert "the larger rate is better" in result._repr_html_()
    assert [(number.published, number.word) for number in result.numbers] == [(0.999, "worse")]
    assert result.deviations == ("another data set", "fewer epochs")
    assert stored(Path(result.folder)) == result
    told = json.loads((Path(result.folder) / "verdict.json").read_text())
    assert told["verdicts"] == {"supported": 1, "contradicted": 1, "not judged": 1}
    assert told["finished"] is True


def test_at_the_smallest_scale_nothing_is_judged(paper: Paper) -> None:
    result = paper.run("rates", "smoke")
    assert {claim.verdict for claim in result.claims} == {"not judged"}
    assert result.numbers == ()
    assert result.is_whole


def test_commands_are_carried_out_once_for_each_training_and_once_without(paper: Paper) -> None:
    result = paper.run("scores", "smoke", repeats=2)
    values = {measured.name: measured.values for measured in result.measured}
    assert values["weights"] == (224.0, 224.0)
    assert len(set(values["accuracy"])) == 2
    assert [Path(name).suffix for name in result.pictures] == [".png"]
    assert (Path(result.folder) / result.pictures[0]).is_file()
    assert (Path(result.folder) / "shape" / "done.json").is_file()


def test_without_trainings_commands_are_repeated_that_name_the_repeat(
    write_paper: Callable[..., Path], tmp_path: Path
) -> None:
    commands = {
        "wider": "arithmetic conv 32x32x3 --kernel 1 --no-bias --filters 1{repeat}",
        "shape": "arithmetic conv 32x32x3 --kernel 1 --no-bias --filters 1",
    }
    numbers = {"wider": "wider.parameters", "weights": "shape.parameters"}
    keys = {"trainings": None, "claims": [], "published": [], "repeats": 3, "scales": {scale: {} for scale in SCALES}}
    paper = Paper(write_paper(scores={**keys, "commands": commands, "numbers": numbers}), runs=tmp_path / "runs")
    result = paper.run("scores", "smoke")
    values = {measured.name: measured.values for measured in result.measured}
    assert values == {"wider": (30.0, 33.0, 36.0), "weights": (3.0, 3.0, 3.0)}


def test_what_was_carried_out_is_not_again(paper: Paper) -> None:
    first = paper.run("scores", "smoke")
    done = Path(first.folder) / "repeat-0" / "scored" / "done.json"
    before = done.stat().st_mtime_ns
    assert paper.run("scores", "smoke") == first
    assert done.stat().st_mtime_ns == before


def test_what_was_run_is_known_again_where_the_folder_of_runs_was_moved(paper: Paper, tmp_path: Path) -> None:
    paper.run("scores", "smoke")
    paper.place.runs.rename(tmp_path / "moved")
    entry = carried_out(Paper(paper.folder, runs=tmp_path / "moved").at("scores", "smoke"))
    assert entry.result().is_whole


def test_a_claim_that_changes_is_judged_anew_without_a_run(write_paper: Callable[..., Path], tmp_path: Path) -> None:
    folder = write_paper()
    first = Paper(folder, runs=tmp_path / "runs").run("scores", "smoke")
    assert [claim.verdict for claim in first.claims] == ["supported", "not judged"]
    text = (folder / "scores.yaml").read_text()
    (folder / "scores.yaml").write_text(text.replace("weights is equal to 224", "weights is equal to 225"))
    changed = Paper(folder, runs=tmp_path / "runs")
    assert changed.result("scores", "smoke").claims[0].verdict == "contradicted"
    assert "contradicted" in write_paper_report(changed, "smoke").read_text()
    assert stored(Path(first.folder)) == first


def test_an_entry_is_run_by_one_process_at_a_time(paper: Paper) -> None:
    with (
        paper.at("scores", "smoke").held(),
        pytest.raises(RunBusyError, match="another process is running small/scores"),
    ):
        paper.run("scores", "smoke")


def test_a_command_whose_words_change_is_carried_out_again(paper: Paper, write_paper: Callable[..., Path]) -> None:
    first = paper.run("scores", "smoke")
    text = (paper.folder / "scores.yaml").read_text()
    (paper.folder / "scores.yaml").write_text(text.replace("--filters 8", "--filters 16"))
    again = Paper(paper.folder, runs=paper.place.runs).run("scores", "smoke")
    weights = {m.name: m.values[0] for result in (first, again) for m in result.measured if m.name == "weights"}
    assert weights == {"weights": 448.0}


def test_further_keys_are_kept_apart(paper: Paper) -> None:
    plain, changed = paper.at("rates", "smoke"), paper.at("rates", "smoke", {"epochs": 2})
    assert plain.folder != changed.folder
    entry = carried_out(changed)
    assert isinstance(entry, StudyEntry)
    assert entry.parts[0].study.file.base["epochs"] == 2


def test_a_command_that_fails_says_what_it_said(write_paper: Callable[..., Path], tmp_path: Path) -> None:
    changes = {"commands": {"scored": "evaluate {net} split=nowhere"}, "numbers": {}, "claims": [], "published": []}
    folder = write_paper(scores=changes)
    with pytest.raises(CnnlabError, match=r"left with 2: .*nowhere"):
        Paper(folder, runs=tmp_path / "runs").run("scores", "smoke")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"commands": {"scored": "evaluate {nte}"}}, "no training 'nte'"),
        ({"numbers": {"accuracy": "score.scores.accuracy"}}, "no command 'score'"),
        ({"claims": [{"says": "x", "judged": "speed is above 3"}]}, "no number 'speed'"),
        ({"scales": {"smoke": {"trainings.ent.epochs": 1}, "laptop": {}, "full": {}}}, "no training 'ent'"),
        ({"scales": {"smoke": {"epochs": 1}, "laptop": {}, "full": {}}}, "has no key 'epochs'"),
        ({"scales": {"smoke": {"repeats": 0}, "laptop": {}, "full": {}}}, "repeats cannot be 0"),
        ({"trainings": "net"}, "write keys with their values"),
        ({"trainings": {"net": 3}}, "a training cannot be 3"),
        ({"commands": "evaluate {net}"}, "commands cannot be"),
        ({"commands": {"scored": "evalute {net}"}}, "Did you mean evaluate"),
        ({"commands": {"scored": "models shwo cnn"}}, "no command 'shwo'"),
        ({"commands": {"scored": "evaluate {net} --splitt test"}}, "has no option --splitt"),
        ({"commands": {"scored": "evaluate 'net"}}, "leaves a quote open"),
        ({"published": [{"number": "weigths", "value": 216}]}, "Did you mean weights"),
        ({"published": [{"number": "weights", "vlaue": 216}]}, "Did you mean value"),
        ({"published": [{"number": "weights", "value": "many"}]}, "'many' is no number"),
        ({"pictures": "seen/../../*.png"}, "begins with no command"),
        ({"pictures": "sene/*.png"}, "Did you mean seen"),
        ({"numbers": {"accuracy": ""}}, "numbers.accuracy.of cannot be ''"),
    ],
)
def test_slips_in_an_entry_of_commands_are_found_before_anything_is_trained(
    write_paper: Callable[..., Path], tmp_path: Path, changes: dict[str, object], complaint: str
) -> None:
    with pytest.raises(UsageError) as refused:
        Paper(write_paper(scores=changes), runs=tmp_path / "runs").run("scores", "smoke")
    assert complaint in str(refused.value)
    assert not (tmp_path / "runs").exists()


def test_at_the_smallest_scale_only_what_depends_on_no_training_is_compared(
    write_paper: Callable[..., Path], tmp_path: Path
) -> None:
    rows = [{"number": "weights", "value": 224}, {"number": "accuracy", "value": "90%"}]
    result = Paper(write_paper(scores={"published": rows}), runs=tmp_path / "runs").run("scores", "smoke")
    assert [number.word for number in result.numbers] == ["reproduced", "not comparable"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"claims": [{"says": "x", "judged": "clasifier=svc is the best"}]}, "Did you mean classifier"),
        ({"claims": [{"says": "x", "judged": "classifier=svm is the best"}]}, "Did you mean svc"),
        ({"claims": [{"says": "x", "judged": "the best acuracy is above 3%"}]}, "Did you mean accuracy"),
        ({"claims": [{"says": "x", "judged": "classifier=svc is the fastest"}]}, "and no times"),
        ({"published": [{"metric": "f1", "rows": [{"classifier": "svc", "value": 0.9}]}]}, "no metric 'f1'"),
        ({"published": [{"rows": [{"clasifier": "svc", "value": 0.9}]}]}, "Did you mean classifier"),
        ({"published": [{"rows": [{"classifier": "svc"}]}]}, "needs rows.0.value"),
        ({"published": [{"row": []}]}, "Did you mean rows"),
    ],
)
def test_slips_in_a_transfer_are_found_before_anything_is_computed(
    write_paper: Callable[..., Path], tmp_path: Path, changes: dict[str, object], complaint: str
) -> None:
    transfer = {"transfer": {"data": "digits", "backbones": "squeezenet1_1"}, "scales": {scale: {} for scale in SCALES}}
    paper = Paper(write_paper(scores={**NO_COMMANDS, **transfer, **changes}), runs=tmp_path / "runs")
    with pytest.raises(UsageError, match=r"scores\.yaml") as refused:
        carried_out(paper.at("scores"))
    assert complaint in str(refused.value)


def test_an_unknown_scale_lists_those_there_are(paper: Paper) -> None:
    with pytest.raises(UsageError, match="smoke, laptop, full"):
        paper.at("rates", "huge")


def test_the_report_shows_both_numbers_the_claims_and_what_does_not_add_up(
    paper: Paper, forked_workers: Callable[[str], object], tmp_path: Path
) -> None:
    paper.run("rates", workers=1)
    paper.run("scores", workers=1)
    page = write_paper_report(paper, "laptop", tmp_path / "page.html").read_text()
    for text in (
        "99.90%",
        "the larger rate is better",
        "contradicted",
        "SD of three",
        "Differs from the paper",
        "data:image/webp",
    ):
        assert text in page
    assert "Published beside measured at the scale laptop" in page
    # The caption of a picture that a command drew.
    assert page.index("data:image/webp") < page.rindex("Scale: laptop.")


def test_the_report_says_why_a_training_learned_nothing_and_asks_for_no_data(
    write_paper: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = {"data": "digits", "model": "mlp(hidden=[16], init=zeros)", "epochs": 2, "batch_size": 16}
    scales = {"smoke": {"repeats": 1}, "laptop": {}, "full": {}}
    paper = Paper(write_paper(rates={"base": base, "scales": scales}, entries=["rates"]), runs=tmp_path / "runs")
    paper.run("rates", "smoke")

    def refused(*arguments: object, **options: object) -> None:
        raise AssertionError("the data was asked for")

    monkeypatch.setattr("cnnlab.explain.mistakes.predicted.own_data", refused)
    page = write_paper_report(paper, "smoke", tmp_path / "page.html").read_text()
    assert "What learned nothing" in page
    assert "symmetry" in page


def test_a_claim_that_a_scale_cannot_decide_is_not_judged_there(
    write_paper: Callable[..., Path], forked_workers: Callable[[str], object], tmp_path: Path
) -> None:
    claims = [{"says": "it is right", "judged": "accuracy is at least 99%", "not_judged_at": {"laptop": "few epochs"}}]
    small = Paper(write_paper(scores={"claims": claims}, entries=["scores"]), runs=tmp_path / "runs")
    claim = small.run("scores", workers=1).claims[0]
    assert (claim.verdict, claim.why) == ("not judged", "few epochs")
    assert small.at("scores", "full").claims[0].rules == ("accuracy is at least 99%",)


@pytest.mark.parametrize(("weights", "verdict"), [(224, "not judged"), (223, "contradicted")])
def test_a_scale_may_withhold_one_verdict(
    write_paper: Callable[..., Path],
    forked_workers: Callable[[str], object],
    tmp_path: Path,
    weights: int,
    verdict: str,
) -> None:
    withheld = {"laptop": {"supported": "it may be chance"}}
    claims = [{"says": "it is so", "judged": f"weights is equal to {weights}", "not_judged_at": withheld}]
    small = Paper(write_paper(scores={"claims": claims}, entries=["scores"]), runs=tmp_path / "runs")
    claim = small.run("scores", workers=1).claims[0]
    assert claim.verdict == verdict and claim.rules == (f"weights is equal to {weights}",)
    assert claim.why.endswith("But it may be chance.") is (verdict == "not judged")


def test_rules_that_a_scale_does_not_judge_still_count_among_those_judged_at_once(
    write_paper: Callable[..., Path],
) -> None:
    better, level = "optimizer.lr=0.01 is better than optimizer.lr=0.0001", "the best test_accuracy is at least 20%"
    claims = [
        {"says": "it is better", "judged": better},
        {"says": "it is high", "judged": level, "not_judged_at": {"laptop": "few epochs"}},
    ]
    (part,) = StudyEntry(Paper(write_paper(rates={"claims": claims})).at("rates")).parts
    assert part.study.file.claims == (better, level)


def test_what_a_study_measured_is_told_by_setting_and_its_trainings_by_name(
    write_paper: Callable[..., Path], forked_workers: Callable[[str], object], tmp_path: Path
) -> None:
    small = Paper(write_paper(entries=["rates"]), runs=tmp_path / "runs")
    result = small.run("rates", workers=1)
    accuracies = {one.setting: one for one in result.measured if one.name == "test_accuracy"}
    assert list(accuracies) == ["0.0001", "0.01"]
    for one in accuracies.values():
        assert one.mean == pytest.approx(sum(one.values) / 3) and len(one.values) == 3 and one.unit == "share"
    assert len(result.trainings) == 6 and set(result.trainings) <= {path.name for path in (tmp_path / "runs").iterdir()}
    assert sum(result.trainings.values()) == pytest.approx(result.seconds)
    page = write_paper_report(small, "laptop", tmp_path / "page.html").read_text()
    assert "Measured at the scale laptop" in page and f"{100 * (accuracies['0.01'].mean or 0):.2f}" in page


def test_a_training_that_entries_share_counts_once_in_the_time_that_the_report_tells(
    write_paper: Callable[..., Path], forked_workers: Callable[[str], object], tmp_path: Path
) -> None:
    folder = write_paper(entries=["rates", "again"])
    (folder / "again.yaml").write_text((folder / "rates.yaml").read_text())
    small = Paper(folder, runs=tmp_path / "runs")
    first, second = (small.run(name, workers=1) for name in ("rates", "again"))
    assert first.trainings == second.trainings
    page = write_paper_report(small, "laptop", tmp_path / "page.html").read_text()
    assert f"{short_duration(first.seconds)} of trainings and commands added up" in page


def test_pictures_are_on_the_page_to_the_pixel(
    write_paper: Callable[..., Path], forked_workers: Callable[[str], object], tmp_path: Path
) -> None:
    small = Paper(write_paper(entries=["scores"]), runs=tmp_path / "runs")
    drawn = small.at("scores").folder / small.run("scores", workers=1).pictures[0]
    page = write_paper_report(small, "laptop", tmp_path / "page.html").read_text()
    found = re.search(r"data:image/webp;base64,([^\"]+)", page)
    assert found is not None
    with Image.open(BytesIO(base64.b64decode(found[1]))) as shown, Image.open(drawn) as original:
        assert np.array_equal(np.asarray(shown.convert("RGBA")), np.asarray(original.convert("RGBA")))


def test_private_pictures_stay_out_of_a_public_report(
    write_paper: Callable[..., Path], forked_workers: Callable[[str], object], tmp_path: Path
) -> None:
    small = Paper(write_paper(scores={"private": ["seen/*"]}, entries=["scores"]), runs=tmp_path / "runs")
    assert small.run("scores", workers=1).private
    whole = write_paper_report(small, "laptop", tmp_path / "page.html").read_text()
    assert "data:image/webp" in whole
    assert "no licence" not in whole
    page = write_paper_report(small, "laptop", tmp_path / "page.html", public=True).read_text()
    assert "data:image/webp" not in page
    assert "1 picture is not shown here, as the data has no licence for that." in page


def test_private_patterns_name_a_command(write_paper: Callable[..., Path]) -> None:
    small = Paper(write_paper(scores={"private": ["sean/*.png"]}))
    with pytest.raises(UsageError, match=r"private: 'sean/.*Did you mean seen"):
        small.result("scores", "smoke")


def test_the_page_that_sums_up_lists_what_is_contradicted_and_why_numbers_are_not_comparable(
    write_paper: Callable[..., Path], forked_workers: Callable[[str], object], tmp_path: Path
) -> None:
    written = write_paper(scores={"not_comparable": "another picture"}, entries=["rates", "scores"])
    small = Paper(written, runs=tmp_path / "runs")
    small.run("scores", workers=1)
    text = re.sub(r"<[^>]+>|\s+", " ", write_paper_reports([small], "laptop", tmp_path / "pages").read_text())
    text = " ".join(text.split())
    assert "1 of 2 1 1 0 0 Published numbers" in text
    assert "0 0 0 0 0 1 0 Claims" in text
    assert (
        "contradicted entry the paper says judged as why what differs from the paper small/scores it learns a little"
        in text
    )
    assert "and why entry numbers why small/scores 1 another picture" in text


def test_a_report_on_nothing_says_what_to_run(paper: Paper) -> None:
    with pytest.raises(UsageError, match="cnnlab paper run small scale=full"):
        write_paper_report(paper, "full")


def test_what_was_expected_stands_in_the_report_beside_what_came(
    paper: Paper, forked_workers: Callable[[str], object], tmp_path: Path
) -> None:
    at = paper.at("rates")
    asked = questions(at)
    assert asked[0].settings == ("0.0001", "0.01")
    assert asked[0].seen is False
    note_expected(at.folder, [asked[0].answered(read_order("1 > 2", asked[0].settings), 0.1)])
    paper.run("rates", workers=1)
    page = write_paper_report(paper, "laptop", tmp_path / "page.html").read_text()
    assert "0.0001 &gt; 0.01" in page
    assert "0 of 1" in page


def test_what_was_expected_once_is_never_replaced(paper: Paper) -> None:
    one = Expectation("", ("a", "b"), None, "2026-01-01T00:00:00+00:00", False)
    note_expected(paper.at("rates").folder, [one])
    with pytest.raises(UsageError, match="stays as it is"):
        note_expected(paper.at("rates").folder, [one])


def test_an_order_may_be_words_or_places() -> None:
    labels = ("adam", "sgd", "rmsprop")
    assert read_order("adam > rmsprop > sgd", labels) == ("adam", "rmsprop", "sgd")
    assert read_order("3, 1", labels) == ("rmsprop", "adam")
    with pytest.raises(UsageError, match="once"):
        read_order("adam > adam", labels)


def test_a_spread_is_a_share_a_number_or_nothing() -> None:
    assert [read_spread(text) for text in ("2%", " 0.02 ", "")] == [0.02, 0.02, None]
    assert [read_spread(text) for text in ("5 points", "5points", "1 point", "2.5 Percentage points ")] == [
        0.05,
        0.05,
        0.01,
        0.025,
    ]
    for text in ("much", "-2%", "nan", "points", "5 % points", "-5 points", "5 pints"):
        with pytest.raises(UsageError, match="from 0 on"):
            read_spread(text)


def test_a_new_paper_runs_as_it_stands(tmp_path: Path) -> None:
    new_paper(tmp_path / "mine")
    made = Paper(tmp_path / "mine", runs=tmp_path / "runs")
    assert made.run("rates", "smoke").is_whole
    for scale in ("laptop", "full"):
        carried_out(made.at("rates", scale)).check()


def test_a_sheet_holds_the_questions_and_none_of_the_answers(paper: Paper, tmp_path: Path) -> None:
    blank_sheet(paper, tmp_path / "sheet")
    sheet = Paper(tmp_path / "sheet", runs=tmp_path / "runs")
    text = "".join(path.read_text() for path in (tmp_path / "sheet").glob("*.yaml"))
    for told in ("99.9", "better", "Two rates", "SD of three", "small networks"):
        assert told not in text
    assert list(sheet.entries) == list(paper.entries)
    carried_out(sheet.at("rates")).check()


def test_a_folder_that_holds_something_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match="holds something"):
        new_paper(tmp_path / "mine")


def test_claims_on_classifiers_are_judged_by_repeats_on_the_same_pictures(
    write_paper: Callable[..., Path], tmp_path: Path
) -> None:
    rules = {
        "classifier=knn is better than classifier=gaussian-nb by at least 1 point": "supported",
        "classifier=knn is better than classifier=gaussian-nb by at least 60 points": "contradicted",
        # Five are the default of so many neighbours.
        "classifier='knn(n_neighbors=5)' is worse than classifier=gaussian-nb": "contradicted",
        "classifier=knn is no different from classifier=gaussian-nb within 1 point": "contradicted",
        "classifier=gaussian-nb is the best": "contradicted",
        "the best accuracy is at least 50%": "supported",
        "the best accuracy is below 50%": "contradicted",
        "accuracy of classifier=gaussian-nb is above 99.5%": "contradicted",
        "accuracy of classifier=gaussian-nb is at most 99.5%": "supported",
    }
    keys = {"data": "digits", "backbones": "pixels", "classifiers": "knn, gaussian-nb", "metric": "accuracy"}
    changes = {
        "transfer": {**keys, "subset": 1000, "repeats": 10},
        "scales": {scale: {} for scale in SCALES},
        "claims": [{"says": rule, "judged": rule} for rule in rules],
        "published": {"metric": "validation_accuracy", "rows": [{"classifier": "knn", "value": 0.2}]},
    }
    paper = Paper(write_paper(scores={**NO_COMMANDS, **changes}), runs=tmp_path / "runs")
    result = paper.run("scores")
    assert {claim.says: claim.verdict for claim in result.claims} == rules
    assert result.claims[5].why.startswith("Best is knn on pixels: 9")
    assert "simultaneous 95% interval" in result.claims[5].why
    assert result.claims[0].why.startswith("knn against gaussian-nb: +")
    assert result.claims[7].why.startswith("gaussian-nb: ")
    assert [number.word for number in result.numbers] == ["better"]
    text = (paper.folder / "scores.yaml").read_text()
    (paper.folder / "scores.yaml").write_text(text.replace("repeats: 10", "repeats: 11"))
    changed = Paper(paper.folder, runs=tmp_path / "runs").result("scores")
    assert changed.missing == ("the transfer small-scores-laptop is not made yet",)
    assert {claim.verdict for claim in changed.claims} == {"undecided"}


def test_published_rows_of_a_backbone_stand_beside_what_stands_in_for_it(
    write_paper: Callable[..., Path], tmp_path: Path
) -> None:
    transfer = {"data": "digits", "backbones": "pixels", "classifiers": "knn", "subset": 500, "repeats": 2}
    changes = {
        "transfer": transfer,
        "scales": {"smoke": {}, "laptop": {"stand_ins": {"vgg16": "pixels"}}, "full": {}},
        "published": {"metric": "accuracy", "rows": [{"classifier": "knn", "backbone": "vgg16", "value": 0.7}]},
        "not_comparable": {"laptop": "another backbone"},
        "claims": [],
    }
    paper = Paper(write_paper(scores={**NO_COMMANDS, **changes}), runs=tmp_path / "runs")
    result = paper.run("scores")
    (number,) = result.numbers
    assert (number.label, number.word, number.reason) == (
        "knn, vgg16, here pixels",
        "not comparable",
        "another backbone",
    )
    made = carried_out(paper.at("scores"))
    assert isinstance(made, TransferEntry) and made.made is not None
    scores = [repeat.scores["accuracy"] for repeat in made.made.record.rows[0].repeats]
    assert len(scores) == 2 and number.measured == pytest.approx(sum(scores) / 2)
    assert paper.at("scores", "full").entry.file.stand_ins_at("full") == {}


def test_a_transfer_that_was_packed_is_judged_anew_without_its_weights(
    write_paper: Callable[..., Path], tmp_path: Path
) -> None:
    transfer = {"data": "digits", "backbones": "pixels", "classifiers": "knn, gaussian-nb", "subset": 500, "repeats": 5}
    claims = [{"says": "neighbours are worse", "judged": "classifier=knn is worse than classifier=gaussian-nb"}]
    changes = {"transfer": transfer, "scales": {scale: {} for scale in SCALES}, "claims": claims}
    paper = Paper(write_paper(scores={**NO_COMMANDS, **changes}), runs=tmp_path / "runs")
    assert [claim.verdict for claim in paper.run("scores").claims] == ["contradicted"]
    RunStore(tmp_path / "runs").export(tmp_path / "small.tar.xz", papers=["small-scores-laptop"], predictions=False)
    RunStore(tmp_path / "there").import_pack(tmp_path / "small.tar.xz")
    entry = paper.folder / "scores.yaml"
    entry.write_text(entry.read_text().replace("knn is worse than", "knn is better than"))
    result = Paper(paper.folder, runs=tmp_path / "there").result("scores")
    assert [claim.verdict for claim in result.claims] == ["supported"] and not result.missing


def test_a_classifier_with_its_defaults_written_out_is_itself_and_no_other_of_its_name(
    write_paper: Callable[..., Path], tmp_path: Path
) -> None:
    """Ten is the default of C: what is written so is known as svc, and the others have that name too."""
    rules = {
        "classifier='svc(C=10)' is better than classifier='svc(C=0.001)' by at least 10 points": "supported",
        "classifier=svc is better than classifier='svc(C=0.001)' by at least 10 points": "supported",
        "classifier='svc(C=0.001)' is the best": "contradicted",
        "accuracy of classifier='svc(C=10)' is above 80%": "supported",
    }
    keys = {"data": "digits", "backbones": "pixels", "classifiers": "svc(C=0.001), svc(C=10)", "metric": "accuracy"}
    changes = {
        "transfer": {**keys, "subset": 600, "repeats": 5},
        "scales": {scale: {} for scale in SCALES},
        "claims": [{"says": rule, "judged": rule} for rule in rules],
        "published": {"metric": "validation_accuracy", "rows": [{"classifier": "svc(C=10)", "value": 0.2}]},
    }
    result = Paper(write_paper(scores={**NO_COMMANDS, **changes}), runs=tmp_path / "runs").run("scores")
    assert {claim.says: claim.verdict for claim in result.claims} == rules
    assert [number.word for number in result.numbers] == ["better"]
    assert result.numbers[0].measured == pytest.approx(
        next(each.mean for each in result.measured if each.label.startswith("svc on"))
    )
