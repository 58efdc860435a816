module example.org/seeds

go 1.21
