import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator

import pytest
import typer
from typer.testing import CliRunner, Result

from cnnlab.cli.program import Program
from cnnlab.core import messages
from cnnlab.core.errors import CnnlabError, CnnlabWarning, UsageError

Invoke = Callable[[Callable[[], None]], Result]


@pytest.fixture
def invoke() -> Iterator[Invoke]:
    """Runs a command that does what the function does."""

    def call(function: Callable[[], None]) -> Result:
        app = typer.Typer(cls=Program)
        app.command("work")(function)
        app.command("other")(lambda: None)
        return CliRunner().invoke(app, ["work"])

    yield call
    assert logging.getLogger("cnnlab").handlers == []


def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(("error", "code"), [(UsageError("that is wrong."), 2), (CnnlabError("it broke."), 1)])
def test_an_error_is_a_line_and_its_exit_code(invoke: Invoke, error: CnnlabError, code: int) -> None:
    result = invoke(lambda: _raise(error))
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", f"cnnlab: {error}\n")


def test_an_error_of_several_lines_is_one_paragraph(invoke: Invoke) -> None:
    assert invoke(lambda: _raise(UsageError("one\ntwo\n"))).stderr == "cnnlab: one two\n"


def test_ctrl_c_leaves_with_130(invoke: Invoke) -> None:
    result = invoke(lambda: _raise(KeyboardInterrupt()))
    assert (result.exit_code, result.stderr) == (130, "cnnlab: stopped.\n")


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143)])
def test_an_interrupted_training_says_how_to_go_on(invoke: Invoke, number: int, code: int) -> None:
    from cnnlab.training import Interrupted

    result = invoke(lambda: _raise(Interrupted(number, "runs/some")))
    assert result.exit_code == code
    assert "cnnlab resume runs/some" in result.stderr
    assert "Traceback" not in result.stderr


def test_what_nobody_foresaw_shows_where_and_asks_for_a_report(invoke: Invoke) -> None:
    result = invoke(lambda: _raise(ZeroDivisionError("oh")))
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("cnnlab: the above is a fault in cnnlab itself")


def test_a_warning_of_ours_is_one_line_said_once(invoke: Invoke) -> None:
    def work() -> None:
        messages.warn("look out")
        messages.warn("look out")

    assert invoke(work).stderr == "cnnlab: warning: look out\n"


def test_warnings_of_others_are_left_to_python(invoke: Invoke) -> None:
    def work() -> None:
        with pytest.warns(DeprecationWarning, match="old"):
            warnings.warn("old", DeprecationWarning, stacklevel=1)

    assert invoke(work).exit_code == 0


def test_warnings_raise_again_afterwards(invoke: Invoke) -> None:
    invoke(lambda: None)
    with pytest.raises(CnnlabWarning):
        messages.warn("an error in tests")


def test_notes_go_to_standard_error_unless_quiet(invoke: Invoke) -> None:
    def work() -> None:
        messages.note("by the way")
        with messages.quietly():
            messages.note("unheard")

    result = invoke(work)
    assert (result.stdout, result.stderr) == ("", "by the way\n")


def test_a_reader_that_hangs_up_is_no_error_to_speak_of(invoke: Invoke) -> None:
    result = invoke(lambda: _raise(BrokenPipeError(32, "Broken pipe")))
    assert result.exit_code == 1
    assert result.output == ""


def test_numbers_that_are_not_finite_are_null_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    from cnnlab.cli.output import write_json

    write_json({"a": float("nan"), "b": [1, float("inf")]})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [1, None]}


@pytest.mark.parametrize("given", [None, "0"])
def test_the_installed_command_asks_for_large_pages_unless_told(
    monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    from cnnlab import cli
    from cnnlab.core.memory import LARGE_PAGES

    if given is None:
        monkeypatch.delenv(LARGE_PAGES, raising=False)
    else:
        monkeypatch.setenv(LARGE_PAGES, given)
    seen: list[str | None] = []
    monkeypatch.setattr("cnnlab.cli.app.app", lambda **_: seen.append(os.environ.get(LARGE_PAGES)))
    # What is set here goes away with the test.
    monkeypatch.setattr(os, "environ", dict(os.environ))
    cli.main()
    assert seen == [given or "1"]


def test_ctrl_c_while_the_program_itself_is_read_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from cnnlab import cli

    def interrupted(prog_name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cnnlab.cli.app.app", interrupted)
    # What is set here goes away with the test.
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130 and capsys.readouterr().err == "cnnlab: stopped.\n"
