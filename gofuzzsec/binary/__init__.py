"""What the file of a Go program says, where there is no source to ask.

`GoProgram` reads one: functions and source lines (also of a stripped binary), build information,
code. `probe_points`, `function_probe` and `resolve` tell where uprobes go. `code_tokens` collects
constants that the functions of one package refer to, as a dictionary for fuzzing a ready-made
binary.
"""

from gofuzzsec.binary.buildinfo import BuildInfo
from gofuzzsec.binary.layout import GoLayout
from gofuzzsec.binary.lines import Frame
from gofuzzsec.binary.names import resolve
from gofuzzsec.binary.probes import FunctionProbe, ProbePoints, function_probe, probe_points
from gofuzzsec.binary.program import GoProgram
from gofuzzsec.binary.table import Function, FunctionTable
from gofuzzsec.binary.tokens import CodeTokens, code_tokens

__all__ = [
    "BuildInfo",
    "CodeTokens",
    "Frame",
    "Function",
    "FunctionProbe",
    "FunctionTable",
    "GoLayout",
    "GoProgram",
    "ProbePoints",
    "code_tokens",
    "function_probe",
    "probe_points",
    "resolve",
]
