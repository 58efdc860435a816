module example.org/ctruth

go 1.21
