package main

const nfsservctl = 42
