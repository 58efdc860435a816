module example.org/unseen

go 1.21
