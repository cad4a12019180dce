"""``cnnlab paper``."""

import json

import pytest


@pytest.fixture
def small(cnnlab, tmp_path):
    """A paper of one entry on digits, two repeats of two settings."""
    cnnlab("paper", "new", "small")
    entry = tmp_path / "small" / "rates.yaml"
    text = entry.read_text().replace("epochs: 5", "epochs: 1").replace("[0.001, 0.01, 0.1]", "[0.001, 0.1]")
    entry.write_text(text)
    return entry


def test_a_paper_is_shown_with_its_claims_and_rules(cnnlab, small, document):
    text = cnnlab("paper", "show", "small").stdout
    assert "My experiments" in text
    assert "  claims\n  - the largest rate is the best\n" in text
    assert "optimizer.lr=0.1 is the best" not in text
    assert "cnnlab paper show small/rates" in text
    one = cnnlab("paper", "show", "small/rates").stdout
    assert "- the largest rate is the best\n  optimizer.lr=0.1 is the best\n" in one
    assert "My experiments" not in one
    assert document("paper", "show", "small/rates")["entries"][0]["place"] == "Table 1"


def test_an_entry_is_shown_with_its_published_numbers(cnnlab, small, tmp_path):
    """Of studies a table a metric, of commands one; a column for what a number is of, and none that is empty."""
    rows = "      - {optimizer.lr: 0.1, value: 95%}\n"
    assert rows in small.read_text()
    more = "      - {optimizer.lr: 0.001, value: 0.5, std: 0.25, n: 4, label: slow, note: read off a curve}\n"
    small.write_text(small.read_text().replace(rows, rows + more))
    one = cnnlab("paper", "show", "small/rates").stdout
    table = one[one.index("\npublished: test_accuracy\n") :].splitlines()[2:5]
    assert [line.split() for line in table] == [
        ["optimizer.lr", "what", "value", "SD", "repeats", "note"],
        ["0.1", "95%"],
        ["0.001", "slow", "0.5", "0.25", "4", "read", "off", "a", "curve"],
    ]
    (tmp_path / "small" / "counted.yaml").write_text(
        "place: Table 2\ntitle: Weights\nabout: Counted.\nscales: {smoke: {}, laptop: {}, full: {}}\n"
        "commands: {shape: arithmetic conv 32x32x3 --filters 8 --kernel 3}\n"
        "numbers: {weights: {of: shape.parameters, exact: true, label: weights of one layer}}\n"
        "published: [{number: weights, value: 216, note: without biases}]\nnot_comparable: {laptop: other layers}\n"
    )
    paper = tmp_path / "small" / "paper.yaml"
    paper.write_text(paper.read_text().replace("[rates]", "[rates, counted]"))
    text = cnnlab("paper", "show", "small/counted").stdout
    lines = [line.split() for line in text[text.index("\npublished\n") :].splitlines()[2:4]]
    assert lines == [
        ["number", "what", "value", "note"],
        ["weights", "weights", "of", "one", "layer", "216", "without", "biases"],
    ]
    assert "\nnot comparable\n- laptop: other layers\n" in text


def test_a_list_tells_which_data_each_entry_needs_and_whether_it_is_here(
    cnnlab, small, document, tmp_path, monkeypatch
):
    (tmp_path / "sets").mkdir()
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "sets"))
    monkeypatch.setenv("CNNLAB_CACHE", str(tmp_path / "cache"))
    text = small.read_text().replace("full: {epochs: 20}", "full: {epochs: 20, data: eurosat}\nneeds: [vgg16, vgg19]")
    small.write_text(text.replace("laptop: {}", "laptop: {data: cifar10-jpeg(size=16)}"))
    assert document("paper", "list", "small")[0]["entries"][0]["data"] == {
        "smoke": {"digits": True},
        "laptop": {"cifar10-jpeg": False},
        "full": {"eurosat": False},
    }
    told = cnnlab("paper", "list", "small").stdout
    assert "cifar10-jpeg*; full: eurosat*, weights of vgg16 and vgg19" in told
    assert "eurosat, downloaded once it is needed; cifar10-jpeg, to be brought" in told
    (tmp_path / "sets" / "cifar10-jpeg.zip").write_bytes(b"")
    assert "cifar10-jpeg; full: eurosat*" in cnnlab("paper", "list", "small").stdout
    monkeypatch.delenv("CNNLAB_DATA")
    listed = document("paper", "list", "small", "--data-dir", "sets")[0]["entries"][0]["data"]
    assert listed["laptop"] == {"cifar10-jpeg": True}
    assert "does not exist" in cnnlab("paper", "list", "small", "--data-dir", "nowhere", exit_code=2).stderr


def test_a_sheet_of_a_paper_has_a_folder_of_its_own_name_unless_one_is_named(cnnlab, small, document, tmp_path):
    cnnlab("paper", "new", "--blank", "small")
    assert {path.name for path in (tmp_path / "small-sheet").iterdir()} == {"paper.yaml", "rates.yaml"}
    refused = cnnlab("paper", "new", "--blank", "small", exit_code=2).stderr
    assert "small-sheet is there already" in refused
    assert "cnnlab paper new FOLDER --blank small" in " ".join(refused.split())
    assert document("paper", "new", "mine", "--blank", "small")["paper"] == "mine/paper.yaml"
    assert "which folder" in cnnlab("paper", "new", exit_code=2).stderr


def test_papers_are_listed_with_what_is_known_of_their_cost(cnnlab, small, document):
    listed = document("paper", "list", "small")
    assert listed[0]["entries"][0]["seconds"] == {"smoke": None, "laptop": None, "full": None}
    cnnlab("paper", "run", "small", "scale=smoke")
    seconds = document("paper", "list", "small")[0]["entries"][0]["seconds"]
    assert seconds["smoke"] > 0
    assert seconds["laptop"] is None
    assert "?" in cnnlab("paper", "list", "small").stdout


def test_the_cost_is_probed_once_and_kept(cnnlab, small, document, monkeypatch):
    first = document("paper", "list", "small", "--probe")[0]["entries"][0]["seconds"]
    assert first["full"] > first["laptop"] > first["smoke"] > 0
    monkeypatch.setattr("cnnlab.studies.planning.estimate", None)
    assert document("paper", "list", "small")[0]["entries"][0]["seconds"] == first


def test_what_hinders_the_probe_is_told_once_and_nothing_is_downloaded(cnnlab, small):
    small.write_text(small.read_text().replace("data: digits", "data: eurosat"))
    told = cnnlab("paper", "list", "small", "--probe").stderr
    assert told.count("EuroSAT.zip was") + told.count("eurosat was not found") == 1
    assert "small/rates at the scale smoke, small/rates at the scale laptop" in " ".join(told.split())
    assert "Downloading" not in told


def test_the_result_of_one_entry_is_a_document_and_that_of_a_paper_a_list(document, small):
    assert document("paper", "run", "small/rates", "scale=smoke")["entry"] == "rates"
    assert [one["entry"] for one in document("paper", "run", "small", "scale=smoke")] == ["rates"]


def test_what_is_expected_is_asked_for_and_kept(cnnlab, small, tmp_path):
    words = ("paper", "run", "small/rates", "scale=smoke", "--predict")
    told = cnnlab(*words, input="3 > 1\n2 > 1\n2%\n").stdout
    assert "'3' is no setting here" in told
    kept = json.loads((tmp_path / "runs" / "papers" / "small-rates-smoke" / "expected.json").read_text())
    assert kept["expectations"][0]["order"] == ["0.1", "0.001"]
    assert kept["expectations"][0]["spread"] == 0.02
    assert "noted already" in cnnlab(*words).stdout


def test_questions_stay_out_of_the_document(document, cnnlab, small):
    words = ("paper", "run", "small/rates", "scale=smoke", "--predict")
    cnnlab(*words, input="2 > 1\n\n")
    assert document(*words)["expected"]["expectations"][0]["spread"] is None


def test_without_anybody_to_answer_the_question_is_refused_and_nothing_is_noted(cnnlab, small, tmp_path):
    done = cnnlab("paper", "run", "small/rates", "scale=smoke", "--predict", input="2 > 1\n", exit_code=2)
    assert "on standard input" in done.stderr
    assert not list((tmp_path / "runs").glob("papers/*/*"))


def test_one_entry_that_fails_does_not_keep_the_others_from_being_run(cnnlab, small, tmp_path):
    (tmp_path / "small" / "broken.yaml").write_text(small.read_text().replace("data: digits", "data: nonsense"))
    paper = tmp_path / "small" / "paper.yaml"
    paper.write_text(paper.read_text().replace("[rates]", "[broken, rates]"))
    done = cnnlab("paper", "run", "small", "scale=smoke", exit_code=1)
    assert "small/broken: " in done.stderr
    assert (tmp_path / "runs" / "papers" / "small-rates-smoke" / "verdict.json").is_file()


def test_reports_on_several_papers_are_summed_up(cnnlab, small, tmp_path):
    cnnlab("paper", "new", "other")
    for name in ("small", "other"):
        cnnlab("paper", "run", name, "scale=smoke")
    cnnlab("paper", "report", "small", "other", "scale=smoke", "--out", "pages")
    assert {path.name for path in (tmp_path / "pages").iterdir()} == {"index.html", "small.html", "other.html"}
    assert 'href="other.html"' in (tmp_path / "pages" / "index.html").read_text()


def test_reports_are_made_of_packs_alone_and_say_what_is_to_be_taken_from_them(cnnlab, small, tmp_path):
    cnnlab("paper", "new", "other")
    (tmp_path / "packs").mkdir()
    for name in ("small", "other"):
        cnnlab("paper", "run", name, "scale=smoke")
        cnnlab("runs", "export", "--paper", f"{name}-*", "--public", "--out", f"packs/{name}.tar.xz")
    cnnlab("paper", "report", "small", "other", "scale=smoke", "--out", "here")
    (tmp_path / "runs").rename(tmp_path / "gone")
    (tmp_path / "said.txt").write_text("Take <this> with you.\n\nAnd this.\n")
    words = ("small", "other", "scale=smoke", "--packs", "packs", "--sentences", "said.txt", "--out", "pages")
    cnnlab("paper", "report", *words)
    assert not (tmp_path / "runs").exists()
    for name in ("small.html", "other.html"):
        assert (tmp_path / "pages" / name).read_text() == (tmp_path / "here" / name).read_text()
    lacking = cnnlab("paper", "report", "001", "--packs", "packs", "--out", "pages", exit_code=2).stderr
    assert "packs holds nothing of the paper 001 at the scale laptop" in lacking
    index = (tmp_path / "pages" / "index.html").read_text()
    assert "<li>Take &lt;this&gt; with you.</li>\n<li>And this.</li>" in index
    assert index.count("Claims, then numbers") == (tmp_path / "here" / "index.html").read_text().count(
        "Claims, then numbers"
    )


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["show", "nonsense"], "there is no paper nonsense"),
        (["run", "small/rate"], "Did you mean rates"),
        (["run", "small", "scale=huge"], "The scales are smoke, laptop, full"),
        (["run", "small/rates", "scale=smoke", "epoch=3"], "Write epochs=3"),
        (["report", "small"], "nothing of the paper small was run yet"),
        (["report", "small", "repeats=3"], "belongs to cnnlab paper run"),
        (["report", "small", "001"], "--out DIR"),
        (["report", "small", "--packs", "small"], "--out DIR"),
        (["report", "small", "--packs", "small", "--out", "pages"], "holds no packs"),
        (["report", "small", "--sentences", "small/paper.yaml"], "name more than one"),
        (["new", "small"], "holds something"),
        (["new", "sheet", "--blank", "nonsense"], "there is no paper nonsense"),
    ],
)
def test_wrong_words_are_answered_with_the_right_ones(cnnlab, small, words, complaint):
    done = cnnlab("paper", *words, exit_code=2)
    assert complaint in done.stderr
