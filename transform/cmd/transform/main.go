// Transform folds the raw events of RTE into call events.
package main

import (
	"os"

	"ringstream/transform/internal/app"
)

func main() { os.Exit(app.Program().Main(os.Args[1:], os.Stdout, os.Stderr)) }
