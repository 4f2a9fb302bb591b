"""The Dockerfile and the Compose file, as far as they can be checked where no Docker engine runs."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parent.parent
SCHEMA = json.loads(Path(__file__).with_name("data").joinpath("compose-spec.json").read_text("utf-8"))
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
PINCITE: dict[str, Any] = COMPOSE["services"]["pincite"]


def instructions(text: str) -> list[tuple[str, str]]:
    r"""The instructions of a Dockerfile, in order: `RUN a \\⏎ && b` -> ("RUN", "a && b")."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(words[0].upper(), words[1]) for line in joined.splitlines() if len(words := line.split(maxsplit=1)) == 2]


DOCKERFILE = instructions((ROOT / "Dockerfile").read_text("utf-8"))


def last(name: str) -> str:
    """The arguments of the last instruction of that name: the one that holds for the image."""
    return [arguments for instruction, arguments in DOCKERFILE if instruction == name][-1]


def copied() -> list[str]:
    """What COPY takes from the checkout."""
    found = [shlex.split(arguments) for instruction, arguments in DOCKERFILE if instruction == "COPY"]
    return [source for words in found if not words[0].startswith("--from") for source in words[:-1]]


def let_through() -> set[str]:
    """What .dockerignore lets through: it refuses everything, then names exceptions."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert "*" in lines
    return {line.removeprefix("!") for line in lines if line.startswith("!")}


def test_the_compose_file_follows_the_compose_specification() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(COMPOSE)


@pytest.mark.parametrize("key", ["port", "read-only", "health_check"])
def test_the_specification_refuses_a_misspelt_key(key: str) -> None:
    wrong = {**COMPOSE, "services": {"pincite": {**PINCITE, key: True}}}
    with pytest.raises(jsonschema.ValidationError, match=key):
        jsonschema.Draft202012Validator(SCHEMA).validate(wrong)


def test_the_service_is_published_on_this_machine_alone() -> None:
    assert PINCITE["ports"] == ["127.0.0.1:8000:8000"]
    assert "network_mode" not in PINCITE


def test_the_service_runs_without_root_and_without_privileges() -> None:
    user, group = PINCITE["user"].split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert PINCITE["user"] == last("USER")
    assert PINCITE["cap_drop"] == ["ALL"]
    assert "privileged" not in PINCITE
    assert "cap_add" not in PINCITE


def test_the_index_lies_in_a_named_volume_that_the_image_declares() -> None:
    (volume,) = PINCITE["volumes"]
    name, _, target = volume.partition(":")
    assert name in COMPOSE["volumes"]
    assert target == last("VOLUME")
    assert PINCITE["command"][PINCITE["command"].index("--index") + 1] == target


def test_image_and_compose_file_start_the_same_command() -> None:
    assert json.loads(last("CMD")) == PINCITE["command"]
    assert PINCITE["command"][-1] == "--allow-anonymous"


def test_image_and_compose_file_ask_for_health_in_the_same_way() -> None:
    options, _, command = last("HEALTHCHECK").partition("CMD ")
    assert ["CMD", *json.loads(command)] == PINCITE["healthcheck"]["test"]
    compile(json.loads(command)[-1], "healthcheck", "exec")
    for option in shlex.split(options):
        name, _, value = option.removeprefix("--").partition("=")
        assert str(PINCITE["healthcheck"][name.replace("-", "_")]) == value


def test_torchs_index_is_a_build_argument_without_a_value_of_its_own() -> None:
    assert PINCITE["build"]["args"] == {"TORCH_INDEX": "${TORCH_INDEX:-}"}
    assert ("ARG", 'TORCH_INDEX=""') in DOCKERFILE


@pytest.mark.parametrize("path", copied())
def test_what_the_image_copies_exists_and_is_let_through(path: str) -> None:
    assert (ROOT / path).exists()
    assert path.split("/", maxsplit=1)[0] in let_through()


def test_every_package_of_the_wheel_is_copied_into_the_image() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert packages <= set(copied())
