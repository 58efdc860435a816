module example.org/deep

go 1.21
