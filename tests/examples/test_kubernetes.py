"""The manifests and workflows of examples/kubernetes: what others' schemas say of them, that they
are as safe as they claim, and that what they install is where they look for it."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gofuzzsec.seccomp.effect import same_effect
from gofuzzsec.seccomp.formats import read_profile
from tests.requirements import missing
from tests.seccomp.published import oci_seccomp_validator, operator_validator

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples/kubernetes"
ACTION = ROOT / ".github/actions/gofuzzsec"
PROFILE = FOLDER / "operator/seccompprofile.yaml"
MANIFESTS = sorted({*FOLDER.rglob("*.yaml")} - {PROFILE})
KUBELET = Path("/var/lib/kubelet/seccomp")


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, spec) of each pod in the manifests."""
    for path in MANIFESTS:
        for document in documents(path):
            if "template" in document.get("spec", {}):
                yield str(path.relative_to(FOLDER)), document["spec"]["template"]["spec"]


PODS = dict(pods())


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_kubernetes_accepts_it(path: Path) -> None:
    try:
        import kubernetes_validate
    except ImportError as error:
        missing(str(error))
    for document in documents(path):
        for version in ("1.29", kubernetes_validate.latest_version()):
            kubernetes_validate.validate(document, version, strict=True)


def test_the_manifests_are_what_the_readme_says() -> None:
    assert sorted(PODS) == [
        "install.yaml", "job-with-installer.yaml", "job.yaml", "operator/job.yaml"
    ]  # fmt: skip


@pytest.mark.parametrize("name", PODS)
def test_pods_have_no_more_than_they_need(name: str) -> None:
    pod = PODS[name]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    installers = pod.get("initContainers", [])
    for container in (*installers, *pod["containers"]):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert "memory" in container["resources"]["limits"]
        whole = pod["securityContext"] | context
        assert container in installers or (whole["runAsNonRoot"] and whole["runAsUser"] >= 1000)
    # Only who installs may write to the node, and only there.
    for volume in pod.get("volumes", []):
        if "hostPath" in volume:
            assert Path(volume["hostPath"]["path"]).is_relative_to(KUBELET / "gofuzzsec")
            users = [c for c in pod["containers"] if volume["name"] in str(c.get("volumeMounts"))]
            assert installers and not users


def installed(pod: dict[str, Any], tmp_path: Path, profile: str) -> list[str]:
    """Run a pod's installer here; what is in the kubelet's folder then, from there on."""
    profiles, seccomp = tmp_path / "profiles", tmp_path / "seccomp"
    profiles.mkdir()
    seccomp.mkdir()
    (profiles / "jobrunner.json").write_text(profile)
    (container,) = pod["initContainers"]
    shell, option, script = container["command"]
    script = script.replace("/profiles/", f"{profiles}/").replace("/seccomp/", f"{seccomp}/")
    subprocess.run([shell, option, script], check=True)
    (host,) = (v["hostPath"]["path"] for v in pod["volumes"] if "hostPath" in v)
    assert all(path.read_text() == profile for path in seccomp.iterdir())
    return [str((Path(host) / p.name).relative_to(KUBELET)) for p in seccomp.iterdir()]


@pytest.mark.parametrize("name", ["install.yaml", "job-with-installer.yaml"])
def test_the_profile_is_installed_where_the_pod_wants_it(name: str, tmp_path: Path) -> None:
    pod = PODS["job.yaml" if name == "install.yaml" else name]
    (program,) = pod["containers"]
    wanted = program["securityContext"]["seccompProfile"]
    text = (FOLDER / "seccomp.json").read_text()
    assert wanted["type"] == "Localhost"
    assert installed(PODS[name], tmp_path, text) == [wanted["localhostProfile"]]


def test_the_operators_resource_fits_its_definition() -> None:
    (resource,) = documents(PROFILE)
    assert [str(error) for error in operator_validator("v1").iter_errors(resource)] == []
    (program,) = PODS["operator/job.yaml"]["containers"]
    wanted = program["securityContext"]["seccompProfile"]["localhostProfile"]
    assert wanted == f"operator/{resource['metadata']['name']}.json"


def test_the_profile_fits_the_specification_and_both_say_the_same() -> None:
    path = FOLDER / "seccomp.json"
    problems = oci_seccomp_validator().iter_errors(json.loads(path.read_text()))
    assert [str(error) for error in problems] == []
    assert same_effect(read_profile(path), read_profile(PROFILE), "amd64")


@pytest.mark.parametrize(
    ("schema", "path"),
    [("vendor.github-workflows", FOLDER / "workflow.yml"),
     ("vendor.github-actions", ACTION / "action.yml")],
    ids=["workflow", "action"],
)  # fmt: skip
def test_github_accepts_it(schema: str, path: Path) -> None:
    try:
        importlib.import_module("check_jsonschema")
    except ImportError as error:
        missing(str(error))
    argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_workflow_gives_the_action_what_it_takes() -> None:
    inputs = yaml.safe_load((ACTION / "action.yml").read_text())["inputs"]
    workflow = yaml.safe_load((FOLDER / "workflow.yml").read_text())
    steps = workflow["jobs"]["profile"]["steps"]
    (step,) = (step for step in steps if "gofuzzsec" in step.get("uses", ""))
    assert step["uses"].partition("@")[0].endswith(str(ACTION.relative_to(ROOT)))
    assert step["with"].keys() <= inputs.keys()


def test_the_action_gives_the_script_what_it_takes() -> None:
    """Every variable that the script reads is set by the action, and no other."""
    action = yaml.safe_load((ACTION / "action.yml").read_text())
    (step,) = (s for s in action["runs"]["steps"] if "pipeline.sh" in s.get("run", ""))
    script = (ACTION / "pipeline.sh").read_text()
    defaults = [line for line in script.splitlines() if line.startswith(": ")]
    taken = {word[3:].partition(":=")[0] for line in defaults for word in line.split()[1:]}
    assert step["env"].keys() == taken
    used = {word for value in step["env"].values() for word in value.split() if "inputs." in word}
    assert {word.removeprefix("inputs.") for word in used} <= action["inputs"].keys()
