"""Tables as CSV and as LaTeX, and how numbers are written."""

import csv
import io
import re

import pytest

from cnnlab.core.sinks import for_latex
from cnnlab.reports.contents.tables import (
    IntervalEnds,
    Table,
    TableColumn,
    interval_cells,
    interval_columns,
    text_of,
    with_unit,
)
from cnnlab.reports.writing.tables import csv_of, latex_of, slug

TABLE = Table(
    "Best & worst",
    "Settings of 100% & more",
    (
        TableColumn("setting", "setting_name"),
        TableColumn("accuracy", "test accuracy", "share"),
        TableColumn("accuracy interval", "95% interval", "share"),
        TableColumn("difference", "difference", "share", True),
        TableColumn("front", "on the front"),
    ),
    (
        ("a_b {x} \\ #1", 0.1234567890123456789, IntervalEnds(0.1, 0.2), -0.0123, True),
        ('c, "d" <e> ~^|$', None, None, None, False),
    ),
    note="p < 0.05",
)


def test_csv_holds_every_digit_and_reads_back():
    rows = list(csv.reader(io.StringIO(csv_of(TABLE))))
    assert rows[0] == ["setting", "accuracy", "accuracy interval low", "accuracy interval high", "difference", "front"]
    assert rows[1][0] == "a_b {x} \\ #1" and rows[2][0] == 'c, "d" <e> ~^|$'
    assert [float(cell) for cell in rows[1][1:5]] == [0.1234567890123456789, 0.1, 0.2, -0.0123]
    assert rows[2][1:5] == ["", "", "", ""] and rows[1][5] == "true"


def test_latex_is_escaped_and_balanced():
    text = latex_of(TABLE)
    body = text.split("\\midrule\n")[1].split("\n\\bottomrule")[0].splitlines()
    assert body[0] == ("a\\_b \\{x\\} \\textbackslash{} \\#1 & 12.35 & 10.00 to 20.00 & $-$1.23 & yes \\\\")
    assert body[1] == (
        "c, ''d'' \\textless{}e\\textgreater{} \\textasciitilde{}\\textasciicircum{}\\textbar{}\\$ "
        "& -- & -- & -- & no \\\\"
    )
    assert "test accuracy (\\%)" in text and "Settings of 100\\% \\& more" in text
    check_latex(text, columns=5)


def check_latex(text: str, columns: int) -> None:
    """What a LaTeX compiler would stumble over: braces, environments, columns, bare special characters."""
    plain = re.sub(r"\\[\\{}&%$#_]", "", "\n".join(line for line in text.splitlines() if not line.startswith("%")))
    assert plain.count("{") == plain.count("}")
    assert re.findall(r"\\begin\{(\w+)\}", text) == re.findall(r"\\end\{(\w+)\}", text)[::-1]
    assert not set(re.sub(r"\$[^$]*\$", "", plain)) & set("$#^~_%")
    rows = [line for line in text.splitlines() if line.endswith("\\\\")]
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {columns - 1}
    assert text.isascii() or not set(text) & set("−–×±∞")


@pytest.mark.parametrize(
    ("value", "kind", "sign", "text"),
    [
        (0.93456, "share", False, "93.46"),
        (0.0123, "share", True, "+1.23"),
        (-0.0123, "share", True, "−1.23"),
        (-0.00001, "share", True, "−0.001"),
        (-1e-14, "share", True, "0.00"),
        (-0.04, "seconds", True, "−0.04"),
        (0.04951, "p", False, "0.0495"),
        (0.05, "p", False, "0.050"),
        (1234567, "count", False, "1,234,567"),
        (None, "share", False, "–"),
        (float("nan"), "number", False, "–"),
        (float("inf"), "loss", False, "∞"),
        (0.0004, "p", False, "< 0.001"),
        (0.0321, "p", False, "0.032"),
        (1e-7, "number", False, "1e-07"),
        (7.0, "epochs", False, "7"),
        (True, "text", False, "yes"),
    ],
)
def test_numbers_are_written_for_people(value, kind, sign, text):
    assert text_of(value, kind, sign=sign) == text


def test_both_ends_of_an_interval_have_the_digits_that_show_the_side_of_zero():
    change = TableColumn("d", "difference", "seconds", True)
    assert change.text(IntervalEnds(-0.004, 1.3)) == "−0.004 to +1.300"
    assert change.text(IntervalEnds(-0.04, 1.3)) == "−0.04 to +1.30"
    assert TableColumn("s", "seconds", "seconds").text(IntervalEnds(1.04, 12.3)) == "1.0 to 12.3"
    assert TableColumn("a", "accuracy", "share", True).text(IntervalEnds(0.0, 0.5)) == "0.00 to +50.00"
    assert TableColumn("e", "epochs", "count").text(IntervalEnds(2, 13)) == "2 to 13"


def test_intervals_of_one_classifier_stand_in_a_column_of_their_own():
    several, one = interval_columns("interval", "share")
    assert several.label != one.label and "repeats" in several.label and "one classifier" in one.label
    ends = IntervalEnds(0.1, 0.2)
    assert interval_cells(ends, is_of_one=True) == (None, ends)
    assert interval_cells(ends, is_of_one=False) == (ends, None)


def test_units_stand_behind_numbers():
    assert with_unit(0.5, "share") == "50.00%"
    assert with_unit(0.5, "share", sign=True) == "+50.00 points"
    assert with_unit(12.0, "seconds") == "12.0 s"
    assert with_unit(0.25, "loss") == "0.2500"


def test_columns_that_hold_nothing_go():
    table = Table("t", "t", (TableColumn("a", "a"), TableColumn("b", "b")), (("x", None), ("y", None))).without_empty()
    assert [column.key for column in table.columns] == ["a"] and table.rows == (("x",), ("y",))


def test_slug_is_a_name_for_a_file():
    assert slug("heat map augment optimizer.lr") == "heat-map-augment-optimizer-lr"
    assert slug("???") == "unnamed"


def test_text_is_escaped_on_one_line():
    assert for_latex("two\nlines  of 5_6") == r"two lines of 5\_6"


def test_a_loss_that_ran_away_is_written_with_a_power_of_ten() -> None:
    assert text_of(-42658667.9, "loss", sign=True) == "−4.266e+07"
    assert text_of(99_999.5, "loss") == "99,999.5000"
