"""What the machine code of a Go binary says, where there is no source to ask.

`code_tokens` collects constants that the functions of one package refer to, as a dictionary for
fuzzing a ready-made binary.
"""

from gofuzzsec.binary.tokens import CodeTokens, code_tokens

__all__ = ["CodeTokens", "code_tokens"]
