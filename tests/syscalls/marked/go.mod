module example.org/marked

go 1.21
