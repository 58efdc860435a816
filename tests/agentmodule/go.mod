module example.org/agenttargets

go 1.21
