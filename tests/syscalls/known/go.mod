module example.org/known

go 1.21
