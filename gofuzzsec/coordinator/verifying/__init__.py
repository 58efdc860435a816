"""`gofuzzsec profile verify`: corpus, tests and commands under a profile that the kernel enforces.

Everything is run twice, and the two runs differ in nothing but the filter. `judge` knows what the
profile says of a call, a `sight` sees the calls that it does not let through (strace, or the
kernel's tracepoints for root), `corpus` and `suites` run things, `corpora` and `processes` make of
it what there is to tell, and `verify` puts them together.
"""
