module example.org/verified

go 1.21
