package bus_test

import (
	"testing"

	"ringstream/schemas/bustest"
)

func TestMain(m *testing.M) { bustest.Main(m) }
