module example.org/captured

go 1.21
