"""Seccomp profiles: from evidence about system calls to a file that a container runtime loads.

`model` is what a profile says, in whatever file; `formats` reads and writes the files.
`build.build_profile` decides from evidence what is allowed and keeps the reasons of every call.
"""

from gofuzzsec.seccomp.build import AllowedCall, BuiltProfile, build_profile, document

__all__ = ["AllowedCall", "BuiltProfile", "build_profile", "document"]
