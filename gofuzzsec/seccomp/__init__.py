"""Seccomp profiles: from evidence about system calls to a file that a container runtime loads.

`profile.build_profile` decides what is allowed and keeps the reasons of every call;
`profile.to_json` writes the form that the OCI runtime specification and Docker share.
"""

from gofuzzsec.seccomp.profile import AllowedCall, Profile, build_profile, to_json

__all__ = ["AllowedCall", "Profile", "build_profile", "to_json"]
