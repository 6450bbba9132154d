package program

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is a size setting such as 1GiB, 512MiB, 64kB or 1000.
type Bytes int64

var units = []struct {
	name string
	size Bytes
}{
	{"TiB", 1 << 40},
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"TB", 1e12},
	{"GB", 1e9},
	{"MB", 1e6},
	{"kB", 1e3},
	{"B", 1},
}

// Decode reads a size, as envconfig asks it to.
func (b *Bytes) Decode(value string) error {
	digits, unit := strings.TrimSpace(value), Bytes(1)
	for _, u := range units {
		if len(digits) > len(u.name) && strings.EqualFold(digits[len(digits)-len(u.name):], u.name) {
			digits, unit = strings.TrimSpace(digits[:len(digits)-len(u.name)]), u.size
			break
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return fmt.Errorf("expected a size such as 1GiB, 512MiB or 1000")
	}
	if Bytes(n) > math.MaxInt64/unit {
		return fmt.Errorf("more than %s", Bytes(math.MaxInt64/(1<<40)*(1<<40)))
	}
	*b = Bytes(n) * unit
	return nil
}

// String is the size in the largest binary unit that divides it.
func (b Bytes) String() string {
	for _, u := range units[:4] {
		if b != 0 && b%u.size == 0 {
			return strconv.FormatInt(int64(b/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10)
}
