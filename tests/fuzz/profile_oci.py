"""Profiles in the JSON of OCI and Docker."""

from tests.fuzz.profiles import read_text
from tests.fuzz.runner import fuzz

SEEDS = (
    b"""{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "architectures":
 ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"], "flags": ["SECCOMP_FILTER_FLAG_LOG"], "syscalls": [
 {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
 {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1,
 "valueTwo": 0, "op": "SCMP_CMP_EQ"}]}, {"names": ["mount"], "action": "SCMP_ACT_ERRNO",
 "errnoRet": 38}]}""",
    b"""{"defaultAction": "SCMP_ACT_ERRNO", "archMap": [{"architecture": "SCMP_ARCH_X86_64",
 "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]}], "syscalls": [{"names": ["bpf"],
 "action": "SCMP_ACT_ALLOW", "comment": "with \\u00e9", "includes": {"caps": ["CAP_BPF"],
 "minKernel": "4.8", "arches": ["amd64"]}, "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
 {"name": "clone", "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 2114060288,
 "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]}]}""",
    b'{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": null, "listenerPath": "/run/x"}',
    b'{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_KILL_PROCESS", "syscalls": []}}}',
    b"[" * 300,
)
WORDS = (
    b'"SCMP_ACT_', b'"SCMP_CMP_', b'"SCMP_ARCH_', b'"names": [', b'"args": [{"index": ', b'"op": "',
    b'"value": ', b'"valueTwo": ', b'"includes": {', b'"excludes": {', b'"minKernel": "',
    b'"errnoRet": ', b'"comment": "', b'"defaultErrno": "EPERM"', b'"errno": "', b"\\ud800",
)  # fmt: skip


def read(data: bytes) -> None:
    read_text(data, "oci")


if __name__ == "__main__":
    fuzz(read, SEEDS, words=WORDS)
