package main

// network needs a package that Go links with the C library where it can: see network.go.
func network() {}
