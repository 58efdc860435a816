module gofuzzsec/agent

go 1.21
