"""The page and the files beside it."""

import csv
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from test_report_tables import check_latex

from cnnlab.core.errors import UsageError
from cnnlab.core.measurements import Metric
from cnnlab.reports import write_study_report
from cnnlab.reports.contents.tables import IntervalEnds, Table, TableColumn
from cnnlab.reports.writing.page import _is_wordy
from cnnlab.studies.result import StudyResult

_EMPTY = {"meta", "img", "br", "link", "input", "path", "use", "rect", "image", "line", "circle"}


class Reader(HTMLParser):
    """Everything about the page that tests ask for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in _EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in _EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.text.append(data)

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        return [
            a for name, a in self.elements if name == tag and all(a.get(k.strip("_")) == v for k, v in wanted.items())
        ]


@pytest.fixture(scope="session")
def written(study, tmp_path_factory) -> Path:
    return write_study_report(*study, tmp_path_factory.mktemp("report"))


@pytest.fixture
def no_figures(monkeypatch):
    """Nearly all of a report's time goes into its figures; tests that look at its words and tables have none drawn."""
    for name in ("_draw", "_draw_wide"):
        monkeypatch.setattr(f"cnnlab.reports.report.{name}", lambda *drawn: '<svg viewBox="0 0 1 1"></svg>')


@pytest.fixture(scope="session")
def reader(written) -> Reader:
    return Reader(written.read_text())


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def words(reader: Reader) -> str:
    return " ".join(" ".join(reader.text).split())


def test_page_is_well_formed_and_says_the_answer_first(reader):
    assert reader.open == []
    text = words(reader)
    assert text.index("Does flipping help?") < text.index("Of 4 settings, augment=flip") < text.index("SD")
    assert "12 of 12 trainings finished" in text


def test_numbers_shown_are_those_of_the_result(study, reader):
    text = words(reader)
    for setting in study[0].settings:
        summary = setting.summary("test_accuracy")
        assert f"{summary.mean * 100:.2f} {summary.low * 100:.2f} to {summary.high * 100:.2f}" in text
    for comparison in study[0].families[0].comparisons:
        assert f"{comparison.difference * 100:+.2f}".replace("-", "−") in text


def test_every_figure_has_words_and_a_table(reader):
    figures = len(reader.all("figure"))
    drawings = [a for _, a in reader.elements if a.get("role") == "img"]
    assert figures == len(drawings) >= 11
    assert all(len(str(a["aria-label"])) > 20 for a in drawings)
    text = " ".join(reader.text)
    assert text.count("Numbers of this figure") == figures
    assert all(a.get("alt") for a in reader.all("img"))


def test_nothing_is_loaded_from_anywhere(written, reader):
    for _, attributes in reader.elements:
        for name in ("src", "href", "xlink:href", "srcset", "action", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:image/png;base64,")), value
    text = written.read_text()
    assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org)", text)
    policy = next(a for a in reader.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert str(policy["content"]).startswith("default-src 'none'")


def test_ids_are_used_once_and_what_is_referred_to_is_there(reader):
    ids = [a["id"] for _, a in reader.elements if a.get("id")]
    assert len(ids) == len(set(ids))
    wanted = {str(a["href"])[1:] for _, a in reader.elements if str(a.get("href") or "").startswith("#")}
    clips = {clip for _, a in reader.elements for clip in re.findall(r"url\(#([^)]+)\)", str(a.get("clip-path")))}
    assert wanted | clips <= set(ids)


def test_mistakes_are_shown_as_images(reader):
    images = reader.all("img")
    assert len(images) == 22
    assert all(str(a["src"]).startswith("data:image/png;base64,") for a in images)
    assert re.fullmatch(r"Picture test:\d+: (\d), taken for (\d), \d+\.\d% sure\.", str(images[0]["alt"]))


def test_figures_take_the_colours_of_the_page(written):
    drawings = re.findall(r"<svg.*?</svg>", written.read_text(), re.DOTALL)
    assert drawings and not any(
        re.search(r"#(333333|0072b2|d55e00|ffffff)", drawing, re.IGNORECASE) for drawing in drawings
    )
    assert all("var(--ink)" in drawing for drawing in drawings)


def test_same_input_gives_the_same_bytes(study, written, tmp_path):
    again = write_study_report(*study, tmp_path)
    assert again.read_bytes() == written.read_bytes()
    names = sorted(path.relative_to(written.parent) for path in written.parent.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    for name in names:
        assert (tmp_path / name).read_bytes() == (written.parent / name).read_bytes(), name


def test_tables_and_figures_lie_beside_the_page(study, written):
    folder = written.parent / "report-files"
    rows = table(folder / "tables" / "settings.csv")
    means = [setting.summary("test_accuracy").mean for setting in study[0].settings]
    assert [float(row["test_accuracy"]) for row in rows] == means
    trials = table(folder / "tables" / "trials.csv")
    assert (
        len(trials) == 12
        and float(trials[0]["test_accuracy"]) == study[0].settings[0].trials[0].metrics["test_accuracy"]
    )
    for path in (folder / "tables").glob("*.tex"):
        header = (folder / "tables" / f"{path.stem}.csv").read_text().splitlines()[0]
        assert header
        columns = re.search(r"\\begin\{tabular\}\{((?:[lr]|p\{[^}]*\})*)", path.read_text())
        check_latex(path.read_text(), columns=len(re.findall(r"[lr](?![^{]*\})|p\{[^}]*\}", columns[1])))
    drawn = {path.stem for path in (folder / "figures").glob("*.svg")}
    assert drawn == {path.stem for path in (folder / "figures").glob("*.pdf")} and len(drawn) >= 11
    assert all(path.read_bytes().startswith(b"%PDF") for path in (folder / "figures").glob("*.pdf"))


def test_earlier_report_leaves_nothing_behind(study, tmp_path, no_figures):
    write_study_report(*study, tmp_path)
    result, runs = study
    write_study_report(replace(result, claims=(), published=()), runs, tmp_path)
    assert not (tmp_path / "report-files" / "tables" / "claims.csv").exists()


def test_runs_trained_beside_the_recipes_are_left_alone(study, tmp_path, no_figures):
    kept = tmp_path / "report-files" / "runs" / "one" / "run.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("{}")
    write_study_report(*study, tmp_path)
    assert kept.read_text() == "{}"


def test_gallery_lies_among_the_figures(written):
    sheet = (written.parent / "report-files" / "figures" / "mistakes-label.svg").read_text()
    assert sheet.count("<image") == 22 and "% sure, " in sheet
    height = float(re.search(r'viewBox="0 0 [\d.]+ ([\d.]+)"', sheet)[1])
    lowest = [float(y) for y in re.findall(r'y="([\d.]+)"[^>]*>[^<]*% sure', sheet)]
    assert len(lowest) == 22 and 0 < max(lowest) < height


def test_sentences_stand_under_one_another_on_a_phone_and_numbers_do_not(written):
    text = written.read_text()
    wordy = [
        name for name, kind in re.findall(r'aria-label="([^"]*)">\s*<table class="([^"]*)"', text) if "wordy" in kind
    ]
    assert wordy == []
    column = TableColumn("a", "a")
    assert _is_wordy(Table("t", "T", (column, column), (("x" * 70, "y" * 70),)))
    assert not _is_wordy(
        Table("t", "T", (column, column), (("x" * 70, IntervalEnds(1.2345678901234567, 2.3456789012345678)),))
    )


def test_on_a_phone_numbers_come_right_after_the_first_name(written):
    table = written.read_text().split('aria-label="Settings"')[1].split("</table>")[0]
    heads = re.findall(r'<th scope="col" class="([^"]*)">([^<]+)</th>', table)
    further = [place for place, (kind, _) in enumerate(heads) if "further" in kind]
    # What stands in the columns that a phone leaves out is told in the first.
    assert further == [1] and "number" in heads[2][0]
    first = table.split("<tbody>")[1].split("</th>")[0]
    assert re.findall(r'<span class="also">([^<]+)</span>', first) == ["optimizer.\u200blr: 0.01"]


def test_a_figure_by_itself_has_a_wide_form_for_large_screens(written):
    text = written.read_text()
    alone = re.findall(r'<div class="alone"><svg viewBox="0 0 ([\d.]+) ', text)
    beside = re.findall(r'<div class="beside"><svg viewBox="0 0 ([\d.]+) ', text)
    assert len(alone) == len(beside) >= 1
    assert all(float(wide) > 2 * float(narrow) for wide, narrow in zip(alone, beside, strict=True))


def test_recipes_show_what_was_set_before_what_is_at_its_default(study, tmp_path, no_figures):
    result, runs = study
    settings = tuple(replace(s, recipe={**s.recipe, "batch_size": 256}) for s in result.settings)
    text = write_study_report(replace(result, settings=settings), runs, tmp_path).read_text()
    recipe = text.split('<p class="small">s2.yaml</p>')[1].split("</details>")[0]
    own, rest = recipe.split("What is at its default")
    assert "augment: flip" in own and "momentum=0.9" in own and "batch_size" not in own
    assert "batch_size: 256" in rest and "objective: classes" in rest


def test_long_keys_can_be_broken_in_the_head_of_a_table_and_numbers_cannot(study, tmp_path, no_figures):
    result, runs = study
    heads = re.findall(
        r'<th scope="col" class="[^"]*">([^<]+)</th>', write_study_report(result, runs, tmp_path).read_text()
    )
    dotted = [axis.name for axis in result.axes if "." in axis.name]
    assert dotted
    for name in dotted:
        assert name.replace(".", ".\u200b").replace("_", "_\u200b") in heads
    assert not any(re.search(r"\d\.\u200b", head) for head in heads)


def test_sources_of_published_numbers_are_named_and_each_has_its_table(study, tmp_path, no_figures):
    result, runs = study
    other = replace(result.published[0], source="Another paper")
    path = write_study_report(replace(result, published=(*result.published, other)), runs, tmp_path)
    text = words(Reader(path.read_text()))
    assert "Published: test accuracy, A paper" in text and "Published: test accuracy, Another paper" in text
    tables = {path.stem for path in (tmp_path / "report-files" / "tables").glob("published*.csv")}
    assert tables == {"published-test-accuracy", "published-test-accuracy-2"}


def test_gap_stands_above_the_panel_where_no_curve_is(written):
    figures = written.parent / "report-files" / "figures"
    text = (figures / "curves-s0.svg").read_text()
    heights = {
        word: float(re.search(rf'y="([\d.]+)"[^>]*>{re.escape(word)}<', text)[1])
        for word in ("accuracy (%)", "gap +2.00 points at epoch 4")
    }
    assert len(set(heights.values())) == 1


def test_names_cannot_become_part_of_the_page(study, tmp_path, no_pdf):
    result, runs = study
    nasty = "<script>alert('x')</script> & \"co\""
    first = replace(result.settings[0], label=nasty)
    result = replace(result, question=nasty, name=nasty, settings=(first, *result.settings[1:]), notes=(nasty,))
    text = write_study_report(result, runs, tmp_path).read_text()
    assert "<script>alert" not in text and text.count("<script>") == 1
    assert "&lt;script&gt;" in text
    assert Reader(text).open == []


def test_dollars_and_long_names_are_drawn_as_they_are(study, tmp_path, no_pdf):
    result, runs = study
    first = replace(result.settings[0], label="costs $5 and $6_7^8 " + "long " * 30)
    write_study_report(replace(result, axes=(), settings=(first, *result.settings[1:])), runs, tmp_path)
    svg = (tmp_path / "report-files" / "figures" / "settings.svg").read_text()
    assert "costs $5 and $6_7^8" in svg


def test_what_is_missing_is_said(unfinished, tmp_path, no_figures):
    text = words(Reader(write_study_report(*unfinished, tmp_path).read_text()))
    assert "What is missing" in text and "the loss became <nan> at step 7" in text
    assert "10 of 12 trainings finished" in text and "1 failed" in text
    assert "on the validation pictures" in text and "on the test pictures" not in text


def test_report_without_runs_holds_what_the_result_knows(study, tmp_path, no_pdf):
    text = words(Reader(write_study_report(study[0], {}, tmp_path).read_text()))
    assert "Settings" in text and "Learning curves" not in text and "class by class" not in text


def test_number_without_classes_has_no_classes_section(own_study, tmp_path, no_pdf):
    """A study of an error in minutes, without stored classes, says nothing of classes, percent or accuracy."""
    result, runs = own_study
    for run in runs.values():
        shutil.rmtree(run.folder / "predictions")
    metric = Metric("test_clock_error", "test clock error", "number", "lower")
    settings = tuple(
        replace(
            s,
            trials=tuple(replace(t, metrics={"test_clock_error": 3.0 + t.seed}) for t in s.trials),
            summaries=(replace(s.summaries[0], metric="test_clock_error", mean=4.0, low=1.5, high=6.5),),
        )
        for s in result.settings
    )
    result = replace(result, metrics=(metric,), settings=settings, families=(), claims=(), published=())
    text = words(Reader(write_study_report(result, runs, tmp_path).read_text()))
    assert "lowest test clock error: 4" in text
    assert (
        "class by class" not in text and "Confusion" not in text and "accuracy" not in text.partition("How it was")[0]
    )


def test_study_without_settings_has_no_report(study, tmp_path):
    empty: StudyResult = replace(study[0], settings=())
    with pytest.raises(UsageError, match="no settings yet"):
        write_study_report(empty, {}, tmp_path)
