"""The Security Profiles Operator's resources, in YAML and in JSON."""

from tests.fuzz.profiles import read_text
from tests.fuzz.runner import fuzz

SEEDS = (
    b"""# a comment
apiVersion: security-profiles-operator.x-k8s.io/v1
kind: SeccompProfile
metadata:
  name: jobrunner
  annotations: {"gofuzzsec/build-id": "x"}
spec:
  defaultAction: SCMP_ACT_ERRNO
  architectures: [SCMP_ARCH_X86_64]
  syscalls:
    - action: SCMP_ACT_ALLOW
      names: [read, 'write', "close"]
    - action: SCMP_ACT_ALLOW
      names:
        - socket
      args:
        - {index: 0, value: 1, op: SCMP_CMP_EQ}
""",
    b"""apiVersion: security-profiles-operator.x-k8s.io/v1beta1
kind: SeccompProfile
metadata: &a
  name: >-
    x
spec:
  baseProfileName: y
  defaultAction: SCMP_ACT_LOG
  listenerPath: |
    /run/x
  syscalls:
  - {action: SCMP_ACT_ERRNO, errnoRet: 1, names: [mount]}
""",
    b'{"apiVersion": "security-profiles-operator.x-k8s.io/v1", "kind": "SeccompProfile",'
    b' "metadata": {"name": "x"}, "spec": {"defaultAction": "SCMP_ACT_ERRNO"}}',
    b"a: &a [*a, *a]\nb: !!python/object:x {? x : y}\n---\n%YAML 1.1\n",
)
WORDS = (
    b"apiVersion: ", b"kind: SeccompProfile\n", b"metadata:\n", b"spec:\n", b"syscalls:\n",
    b"names: [", b"SCMP_ACT_", b"SCMP_CMP_", b"SCMP_ARCH_", b"args:\n", b"index: ", b"value: ",
    b"valueTwo: ", b"errnoRet: ", b"op: ", b"  - ", b"!!int ", b"&x ", b"*x", b"<<: ", b"---\n",
)  # fmt: skip


def read(data: bytes) -> None:
    read_text(data, "operator")


if __name__ == "__main__":
    fuzz(read, SEEDS, words=WORDS, longest=2048)
