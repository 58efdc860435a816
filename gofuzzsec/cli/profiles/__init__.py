"""``gofuzzsec profile``: the life of a seccomp profile, one file a command; `group` names them."""
