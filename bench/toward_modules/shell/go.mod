module example.com/bench/shell

go 1.22

require mvdan.cc/sh/v3 v3.10.0
