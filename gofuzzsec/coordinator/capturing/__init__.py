"""Capturing: programs and hand-written tests run under a recorder, outside any campaign.

`program` finds out what is to be watched (the Go binary that a command runs, its functions),
`launch` runs a command so that it does not notice (its own streams, signals, exit status), `record`
follows it with the kernel's recorder or with strace, `command` and `suites` do the whole job for a
command line and for the tests of packages, `callpath` reads the stacks, `keep` puts the result into
the campaign store. `model` holds the values; `gofuzzsec.report.capture` prints them.
"""
