module example.com/bench/files

go 1.22

require github.com/spf13/afero v1.11.0
