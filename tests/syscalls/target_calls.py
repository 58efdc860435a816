"""What words make the fuzz target of `callers` call; every recorder must say it is the target's."""

TARGET_CALLS: list[tuple[str, set[str]]] = [
    ("open", {"openat", "close", "fcntl"}),
    ("listen", {"socket", "bind", "listen"}),
    ("routine", {"chdir"}),
    ("after", {"mkdirat"}),
    ("print", {"write"}),
    ("log", {"chroot"}),
    ("cleanup", {"mkdirat"}),
    ("pipe", {"pipe2"}),
    ("futex", {"futex"}),
    ("poller", {"epoll_create1"}),
    ("newer", {"cachestat"}),
]
