package main

const nfsservctl = 180 // ENOSYS in every kernel since 3.1
