"""The BPF recorder: what the kernel says about who makes which system call.

From the bottom: `bcc` and `headers` (what it takes to load a program), `maps` and `uprobes` (the
kernel's objects), `program` (``bpf/recorder.c``, loaded), `calls` (what is counted, as values),
`following` (one slot: the processes of one worker or command), `tracer` (a session's slots),
`symbolize` and `evidence` (calls to recordings).
"""
