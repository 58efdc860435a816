module example.org/callers

go 1.21
