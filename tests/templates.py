"""Single files of the template, rendered as Copier does and without it: thousands of answers a run."""

from __future__ import annotations

import functools
import re
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import Any

import jinja2
import yaml
from apps import RENDERED, ROOT
from jinja2.sandbox import SandboxedEnvironment

ANSWERS = "{{ _copier_conf.answers_file if not _copier_conf.skip_tasks }}"
TOML = "private-packages.toml"
# The files that package lines reach, beside those for people.
REACHED = (TOML, ".env.example", ".gitmodules", "requirements.txt", "pyproject.toml", ANSWERS)


@functools.cache
def environment() -> jinja2.Environment:
    """Jinja as Copier sets it up for this template."""
    return SandboxedEnvironment(
        loader=jinja2.FileSystemLoader(ROOT),
        extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"],
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@functools.cache
def macros(name: str) -> Any:
    """The macros of a file in template/macros."""
    return environment().get_template(f"template/macros/{name}.jinja").module


@functools.cache
def of_question(question: str, part: str) -> jinja2.Template:
    """A template that copier.yml holds, such as the validator of a question."""
    questions = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
    return environment().from_string(questions[question][part])


def files_for(*names: str, **answers: Any) -> dict[str, str]:
    """Files by name, from answers that the questionnaire accepts; computed ones may be among them."""
    packages = [
        package
        for strategy in answers["strategies"]
        for package in yaml.safe_load(macros("lines").parse({strategy: answers[f"{strategy}_packages"]}))
    ]
    left_out = yaml.safe_load(
        macros("lines").left_out({one: answers[f"{one}_packages"] for one in answers["strategies"]}, packages)
    )
    typed = " ".join([*(one["requirement"] for one in packages), answers.get("index_url", "")])
    context = {
        "start": "new",
        "app_name": "An app",
        "app_slug": "an-app",
        "platform": "python",
        "python_version": "3.13",
        "installer": "pip",
        "containers": False,
        "packages": packages,
        "left_out": left_out,
        "package_lines": {strategy: answers[f"{strategy}_packages"] for strategy in answers["strategies"]},
        "has_submodules": any(one["strategy"] == "submodule" for one in packages),
        "variables": list(dict.fromkeys(re.findall(r"\$\{([A-Z0-9_]+)\}", typed))),
        "_copier_answers": {"_src_path": "x", **answers},
        "_copier_conf": SimpleNamespace(answers_file=PurePosixPath(".copier-answers.yml"), skip_tasks=False),
        **answers,
    }
    return {
        name: environment().get_template(f"{RENDERED}/{name}.jinja").render(context).replace("\r\n", "\n")
        for name in names or REACHED
    }
