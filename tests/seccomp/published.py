"""Documents that others publish and our formats are held against, as Go modules.

Nothing of theirs is stored here: `go mod download` fetches a version that is named below once and
keeps it in Go's module cache. Without a network the tests that need one are skipped, in CI failed.
"""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from gofuzzsec.errors import ToolchainError
from gofuzzsec.toolchain import find_go
from tests.requirements import missing

MOBY_PROFILES = "github.com/moby/profiles/seccomp@v0.2.3"
PODMAN = "github.com/containers/common@v0.62.2"
OCI_SPEC = "github.com/opencontainers/runtime-spec@v1.3.0"
OPERATOR = "sigs.k8s.io/security-profiles-operator@v1.0.0"
_PATIENCE = 120  # seconds for a download


@cache
def module(name: str) -> Path:
    """The folder of the module *name* ("path@version"), downloaded once; skips without it."""
    try:
        go = find_go()
    except ToolchainError as error:
        missing(str(error))
    found = subprocess.run(
        [go.path, "mod", "download", "-json", name],
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
        cwd="/",
        env=os.environ | {"GOFLAGS": "-mod=mod", "GOWORK": "off"},
    )
    answer = json.loads(found.stdout or "{}")
    if found.returncode != 0 or "Dir" not in answer:
        missing(f"{name} from the Go module proxy: {answer.get('Error', found.stderr)}")
    return Path(answer["Dir"])


def docker_default() -> Path:
    """Docker's default profile."""
    return module(MOBY_PROFILES) / "default.json"


def podman_default() -> Path:
    """Podman's default profile."""
    return module(PODMAN) / "pkg/seccomp/seccomp.json"


@cache
def oci_seccomp_validator() -> Any:
    """A jsonschema validator of the OCI runtime specification's ``linux.seccomp``."""
    from jsonschema import Draft4Validator

    folder = module(OCI_SPEC) / "schema"
    registry: Registry[Any] = Registry()
    for path in folder.glob("*.json"):
        schema = json.loads(path.read_text("utf-8"))
        resource = Resource.from_contents(schema, default_specification=DRAFT4)
        registry = registry.with_resource(path.name, resource)
    wanted = {"$ref": "config-linux.json#/linux/properties/seccomp"}
    return Draft4Validator(wanted, registry=registry)


@cache
def operator_validator(version: str) -> Any:
    """A jsonschema validator of the operator's SeccompProfile in *version* ("v1", "v1beta1").

    The schema is made closed, since Kubernetes prunes (or, asked strictly, refuses) fields that a
    structural schema does not have.
    """
    from jsonschema import Draft202012Validator

    text = (module(OPERATOR) / "deploy/base-crds/crds/seccompprofile.yaml").read_text("utf-8")
    versions = {entry["name"]: entry for entry in yaml.safe_load(text)["spec"]["versions"]}
    schema = _closed(versions[version]["schema"]["openAPIV3Schema"])
    # The API server knows what metadata is; a CRD's schema does not say.
    schema["properties"]["metadata"] = {
        "type": "object",
        "required": ["name"],
        "additionalProperties": False,
        "properties": {
            "name": {"type": "string"},
            "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    }
    return Draft202012Validator(schema)


def _closed(schema: Any) -> Any:
    """*schema* with no other properties than it names, and sets whose elements differ."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        closed["additionalProperties"] = False
    if schema.get("x-kubernetes-list-type") == "set":
        closed["uniqueItems"] = True
    return closed
