package program

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Common are the settings that every service has, to be embedded.
type Common struct {
	HTTPAddr        string        `envconfig:"HTTP_ADDR" default:":8080" desc:"address of /healthz, /readyz, /metrics and /version"`
	LogLevel        string        `envconfig:"LOG_LEVEL" default:"info" desc:"debug, info, warn or error"`
	LogFormat       string        `envconfig:"LOG_FORMAT" default:"json" desc:"json, or text for people"`
	ShutdownTimeout time.Duration `envconfig:"SHUTDOWN_TIMEOUT" default:"20s" desc:"drain limit after SIGTERM"`
}

// Problems implements [Checker].
func (c Common) Problems() []Problem {
	var found []Problem
	if !address(c.HTTPAddr) {
		found = append(found, Problem{"HTTP_ADDR", strconv.Quote(c.HTTPAddr) + " is no address to listen on", `host:port, such as ":8080" or "127.0.0.1:0"`})
	}
	found = append(found, OneOf("LOG_LEVEL", c.LogLevel, "debug", "info", "warn", "error")...)
	found = append(found, OneOf("LOG_FORMAT", c.LogFormat, "json", "text")...)
	return append(found, Positive("SHUTDOWN_TIMEOUT", c.ShutdownTimeout)...)
}

// common lets Main find the embedded settings in any T.
func (c Common) common() Common { return c }

func address(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

// OneOf reports a value that is none of those allowed.
func OneOf(name, value string, allowed ...string) []Problem {
	if slices.Contains(allowed, value) {
		return nil
	}
	return []Problem{{name, strconv.Quote(value) + " is unknown", strings.Join(allowed, " or ")}}
}

// Positive reports a number or a duration that is zero or less.
func Positive[N ~int | ~int64 | ~float64](name string, value N) []Problem {
	if value > 0 {
		return nil
	}
	return []Problem{{name, "is zero or less", "more than zero"}}
}

// Within reports a number or a duration that is not between least and most.
func Within[N ~int | ~int64 | ~float64](name string, value, least, most N) []Problem {
	if least <= value && value <= most {
		return nil
	}
	return []Problem{{name, fmt.Sprintf("is %v", value), fmt.Sprintf("%v to %v", least, most)}}
}

// Bounds of LEASE_TTL. A longer one would leave the work of a replica that
// was killed undone for as long.
const (
	shortestLease = time.Second
	longestLease  = 5 * time.Minute
)

// LeaseTTL reports a LEASE_TTL that no lease can have, or none should.
func LeaseTTL(ttl time.Duration) []Problem {
	if ttl%time.Second != 0 || ttl < shortestLease || ttl > longestLease {
		return []Problem{{"LEASE_TTL", "is " + ttl.String(), "whole seconds, 1s to 5m"}}
	}
	return nil
}
