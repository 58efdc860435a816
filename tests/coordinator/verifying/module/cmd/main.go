// Command verified does its argument.
package main

import (
	"fmt"
	"os"
	"time"

	"example.org/verified"
)

func main() {
	for _, word := range os.Args[1:] {
		if word == "wait" {
			time.Sleep(time.Hour)
		}
		if err := verified.Do(word); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}
