package localcluster

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync/atomic"
)

// The ports that [FreeAddr] gives: below those that kernels take for outgoing
// connections (from 32768 on with Linux), which may take any of them between two moments.
const (
	firstPort = 21000
	portCount = 11000
)

// nextPort is that of the next address. Processes begin at random places, since tests
// of several packages run at once.
var nextPort atomic.Uint32

func init() { nextPort.Store(rand.Uint32N(portCount)) }

// FreeAddr is an address on loopback whose port is free for TCP and UDP, and which
// this process has not been given lately.
func FreeAddr() (string, error) {
	var err error
	for range portCount {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+int(nextPort.Add(1)%portCount)))
		if err = tryAddr(addr); err == nil {
			return addr, nil
		}
	}
	return "", fmt.Errorf("find a free port: %w", err)
}

func tryAddr(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	defer l.Close()
	p, err := net.ListenPacket("udp", addr)
	if err != nil {
		return err
	}
	return p.Close()
}
