"""Static checks of the Dockerfile and the Compose file, which need no Docker engine."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from service.server.serving import DRAIN_S

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads(Path(__file__).with_name("data").joinpath("compose-spec.json").read_text("utf-8"))
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PINCITE = SERVICES["pincite"]
BUILT = ("pincite", "pincite-scale")
STORAGE = ("milvus", "etcd", "minio")
SECRET = re.compile("password|secret|token|access_?key", re.IGNORECASE)


def instructions(text: str) -> list[tuple[str, str]]:
    r"""The instructions of a Dockerfile, in order: `RUN a \\⏎ && b` -> ("RUN", "a && b")."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(words[0].upper(), words[1]) for line in joined.splitlines() if len(words := line.split(maxsplit=1)) == 2]


DOCKERFILE = instructions((ROOT / "Dockerfile").read_text("utf-8"))


def last(name: str) -> str:
    """The arguments of the last instruction with this name, which takes effect in the image."""
    return [arguments for instruction, arguments in DOCKERFILE if instruction == name][-1]


def copied() -> list[str]:
    """The paths that COPY takes from the checkout."""
    found = [shlex.split(arguments) for instruction, arguments in DOCKERFILE if instruction == "COPY"]
    return [source for words in found if not words[0].startswith("--from") for source in words[:-1]]


def let_through() -> set[str]:
    """The paths that .dockerignore includes: it excludes everything, then lists exceptions."""
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
    for service in SERVICES.values():
        assert "--allow-anonymous-writes" not in service.get("command", ())
        assert "PINCITE_ALLOW_ANONYMOUS_WRITES" not in service.get("environment", ())


def test_image_and_compose_file_ask_for_health_in_the_same_way() -> None:
    options, _, command = last("HEALTHCHECK").partition("CMD ")
    assert ["CMD", *json.loads(command)] == PINCITE["healthcheck"]["test"]
    compile(json.loads(command)[-1], "healthcheck", "exec")
    for option in shlex.split(options):
        name, _, value = option.removeprefix("--").partition("=")
        assert str(PINCITE["healthcheck"][name.replace("-", "_")]) == value


def test_torchs_index_is_a_build_argument_without_a_value_of_its_own() -> None:
    assert all(each["build"]["args"]["TORCH_INDEX"] == "${TORCH_INDEX:-}" for each in (PINCITE, SERVICES["replica"]))
    assert ("ARG", 'TORCH_INDEX=""') in DOCKERFILE


@pytest.mark.parametrize("path", copied())
def test_what_the_image_copies_exists_and_is_let_through(path: str) -> None:
    assert (ROOT / path).exists()
    assert path.split("/", maxsplit=1)[0] in let_through()


def test_every_package_of_the_wheel_is_copied_into_the_image() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert packages <= set(copied())


def test_one_container_starts_by_itself_and_the_others_by_their_profiles() -> None:
    by_profile = {name: service.get("profiles", []) for name, service in SERVICES.items()}
    assert [name for name, profiles in by_profile.items() if not profiles] == ["pincite"]
    assert {profile for profiles in by_profile.values() for profile in profiles} == {"milvus", "observe"}
    for service in SERVICES.values():
        for needed in service.get("depends_on", []):
            assert by_profile[needed] == service["profiles"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_limited_confined_and_asked_for_its_health(name: str) -> None:
    service = SERVICES[name]
    assert service["mem_limit"]
    assert service["cpus"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    check = service["healthcheck"]
    assert check.get("test", [None])[0] == "CMD" or (check == {"disable": True} and service["restart"] == "no")
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_built_here_or_pinned_to_a_version(name: str) -> None:
    image, _, tag = SERVICES[name]["image"].partition(":")
    assert image in BUILT if "build" in SERVICES[name] else re.search("[0-9]{1,4}[.-][0-9]+[.-][0-9]+", tag)


def test_no_secret_is_in_the_file() -> None:
    assert COMPOSE["secrets"] == {"minio": {"environment": "MINIO_PASSWORD"}}
    names = {name: value for each in SERVICES.values() for name, value in each.get("environment", {}).items()}
    result = {name: value for name, value in names.items() if SECRET.search(name)}
    assert result == {"MINIO_ROOT_PASSWORD_FILE": "/run/secrets/minio", "MINIO_ACCESS_KEY_ID": names["MINIO_ROOT_USER"]}
    assert "env_file" not in json.dumps(SERVICES)
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert "/.env" in ignored  # where Compose looks for MINIO_PASSWORD


def test_only_what_needs_the_storage_reaches_it() -> None:
    assert COMPOSE["networks"]["storage"] == {"internal": True}
    reaching = {name for name, service in SERVICES.items() if "storage" in service.get("networks", [])}
    assert reaching == {*STORAGE, "replica", "writer"}
    for name in STORAGE:
        assert SERVICES[name]["networks"] == ["storage"]
        assert "ports" not in SERVICES[name]


def test_replicas_read_what_one_writer_wrote() -> None:
    replica, writer = SERVICES["replica"], SERVICES["writer"]
    assert replica["environment"]["PINCITE_STORE"] == writer["environment"]["PINCITE_STORE"]
    assert replica["environment"]["PINCITE_STORE"] == "milvus+http://milvus:19530"
    (written,) = writer["volumes"]
    assert replica["volumes"] == [f"{written}:ro"]
    assert replica["depends_on"] == {"writer": {"condition": "service_completed_successfully"}}
    assert replica["deploy"] == {"replicas": 2}
    for service in (replica, writer):
        assert int(service["user"].split(":")[0]) > 0
        assert service["read_only"] is True
        assert service["command"][service["command"].index("--index") + 1] == written.split(":")[1]


def pinned(name: str) -> set[str]:
    """The packages of a requirements file with their versions; markers may differ between files."""
    return set(
        re.findall(r"^[\w.-]+==[^ ;\\]+", (ROOT / "requirements" / f"{name}.txt").read_text("utf-8"), re.MULTILINE)
    )


def test_the_image_takes_the_requirements_that_are_asked_for() -> None:
    asked = SERVICES["replica"]["build"]["args"]["REQUIREMENTS"]
    assert ("ARG", "REQUIREMENTS=base") in DOCKERFILE
    assert {f"requirements/{name}.txt" for name in ("base", asked)} <= set(copied())
    assert any('"requirements/$REQUIREMENTS.txt"' in arguments for _, arguments in DOCKERFILE)
    assert pinned("base") <= pinned(asked)


def test_whoever_is_stopped_has_the_time_to_answer_what_is_in_flight() -> None:
    note = (ROOT / "docs" / "deployment.md").read_text("utf-8")
    graces = [SERVICES["replica"]["stop_grace_period"].removesuffix("s")]
    graces += re.findall(r"terminationGracePeriodSeconds: (\d+)", note)
    before = re.findall(r'command: \[sleep, "(\d+)"\]', note)
    assert len(graces) == 2
    assert all(int(grace) > DRAIN_S + int(*before) for grace in graces)


def test_the_note_on_kubernetes_names_metrics_that_there_are() -> None:
    note = (ROOT / "docs" / "deployment.md").read_text("utf-8")
    documented = set(
        re.findall(r"^\| `(pincite_\w+)", (ROOT / "docs" / "operations.md").read_text("utf-8"), re.MULTILINE)
    )
    assert {name.removesuffix("_bucket") for name in re.findall(r"pincite_\w+", note)} <= documented
    for path in re.findall(r"`((?:eval|service)/[\w./]+)`", note):
        assert (ROOT / path).exists()
