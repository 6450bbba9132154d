package stack

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports are taken below the range from which systems take those of outgoing
// connections: a killed process must find its port free when it comes back.
const (
	lowestPort  = 20_000
	highestPort = 32_000
)

// ports hands out free ports of 127.0.0.1, each once.
type ports struct{ next, left int }

func newPorts(first int) *ports {
	if first == 0 {
		first = lowestPort + rand.IntN(highestPort-lowestPort)
	}
	return &ports{next: first, left: highestPort - lowestPort}
}

func (p *ports) free() (int, error) {
	for ; p.left > 0; p.left-- {
		port := p.next
		if p.next++; p.next > highestPort {
			p.next = lowestPort
		}
		if available(port) == nil {
			return port, nil
		}
	}
	return 0, errors.New("none is free")
}

// available returns why a port cannot be listened on.
func available(port int) error {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	return listener.Close()
}
