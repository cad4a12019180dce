import pytest
from rich.console import Console

from cnnlab.cli import output

LONG = "a-name-that-is-much-longer-than-a-narrow-terminal-is-wide-0a1b2c3d"


def test_plain_tables_are_aligned_with_numbers_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("name", "count", "note"), [("a", 5, "x"), ("bcd", 1200, "")])
    assert capsys.readouterr().out == "name  count  note\na         5  x\nbcd    1200\n"


def test_names_that_are_numbers_stand_to_the_left(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("class", "n"), [("0", 5), ("10", 6)])
    assert capsys.readouterr().out == "class  n\n0      5\n10     6\n"


def test_a_table_without_rows_is_its_heading(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("name", "n"), [])
    assert capsys.readouterr().out == "name  n\n"


@pytest.mark.parametrize("width", [20, 80, 200])
def test_names_are_whole_on_a_terminal_of_any_width(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    assert Console().width == width
    output.table(("run", "state", "accuracy"), [(LONG, "finished", 0.98765), ("short", "failed", None)])
    shown = capsys.readouterr().out
    assert LONG in shown
    assert "…" not in shown


def test_markup_in_names_is_shown_as_it_is(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    output.table(("run",), [("[red]x[/red]",)])
    assert "[red]x[/red]" in capsys.readouterr().out


def test_facts_without_a_value_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    output.facts([("one", 1), ("none", None), ("empty", ""), ("three", "a\nb")])
    assert capsys.readouterr().out == "one    1\nthree  a\n       b\n"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.98765, "0.9877"),
        (12345.6, "12345.6"),
        (60000.0, "60,000"),
        (float("inf"), "inf"),
        (None, ""),
        (float("nan"), ""),
        ("x", ""),
    ],
)
def test_scores(value: object, said: str) -> None:
    assert output.score(value) == said


@pytest.mark.parametrize(("width", "left"), [(15, ["run"]), (30, ["run", "state"]), (60, ["run", "state", "started"])])
def test_columns_that_may_go_leave_a_narrow_terminal_from_the_right(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int, left: list[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    columns = ("run", "state", "started")
    output.table(columns, [("some-name", "finished", "2026-01-01 12:00")], keep=1)
    shown = capsys.readouterr().out
    assert [column for column in columns if column in shown] == left
