package reapitsim

import _ "embed"

// Doc is the source of this package's documentation, for help.
//
//go:embed doc.go
var Doc string
