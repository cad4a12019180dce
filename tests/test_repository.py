"""The files that a person expects in a repository, and that they agree with one another."""

import re
import tomllib
from pathlib import Path
from typing import Any

from cnnlab.core import yaml

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
HOOKS = yaml.read_file(ROOT / ".pre-commit-config.yaml", "hooks")["repos"]


def test_the_licence_is_the_one_that_the_project_names() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert PROJECT["license"] == "MIT" and text.startswith("MIT License\n\nCopyright (c) ")
    assert PROJECT["license-files"] == ["LICENSE"]


def test_the_citation_has_what_the_format_asks_for_and_the_facts_of_the_project() -> None:
    citation = yaml.read_file(ROOT / "CITATION.cff", "a citation")
    # Required by version 1.2.0 of the Citation File Format.
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    known = {"abstract", "type", "version", "license", "keywords", "date-released", "doi", "url", "repository-code"}
    assert set(citation) <= known | {"cff-version", "message", "title", "authors"}
    assert citation["cff-version"] == "1.2.0" and citation["type"] == "software"
    assert all(isinstance(author, dict) and set(author) & {"name", "family-names"} for author in citation["authors"])
    facts = {"title": PROJECT["name"], "version": PROJECT["version"], "license": PROJECT["license"]}
    assert {key: citation[key] for key in facts} == facts


def test_the_newest_entry_of_the_changes_is_of_this_version() -> None:
    versions = re.findall(r"^## ([\d.]+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert versions[0] == PROJECT["version"] and len(set(versions)) == len(versions)


def test_hooks_before_a_commit_are_what_lint_runs() -> None:
    hooks = [hook for repo in HOOKS for hook in repo["hooks"]]
    assert {repo["repo"] for repo in HOOKS} == {"local"} and {hook["language"] for hook in hooks} == {"system"}
    recipe = (ROOT / "Makefile").read_text("utf-8").partition("\nlint:")[2].partition("\n\n")[0]
    assert [hook["entry"] for hook in hooks] == re.findall(r"@\$\(BIN\)/(.+)", recipe)


def test_no_file_to_install_by_names_where_packages_come_from() -> None:
    for name in ("pyproject.toml", "requirements.lock", "Makefile", ".pre-commit-config.yaml"):
        text = (ROOT / name).read_text("utf-8")
        assert not re.search(r"(?<!emit-)index-url|find-links|simple/|https?://\S+\.(whl|zip|tar\.gz)", text), name
