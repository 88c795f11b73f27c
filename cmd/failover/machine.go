package main

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// machine is what this machine has for faults.
type machine struct {
	net *network // nil: servers share loopback
	// lacks says why a need is not met.
	lacks map[need]string
}

// The values of --namespaces.
const (
	auto = "auto"
	on   = "on"
	off  = "off"
)

// inspect finds out what this machine has. The network has to be closed.
func inspect(ctx context.Context, namespaces string) (*machine, error) {
	m := &machine{lacks: map[need]string{}}
	why := whyNoNetwork()
	if namespaces == off {
		why = "network namespaces are switched off"
	}
	if why == "" {
		var err error
		if m.net, err = newNetwork(ctx, runID(os.Getpid())); err != nil {
			why = err.Error()
			if m.net != nil {
				err = m.net.close(ctx)
				m.net = nil
			}
			if namespaces == on {
				return m, errors.Join(errors.New(why), err)
			}
		}
	}
	if why != "" && namespaces == on {
		return m, fmt.Errorf("no network namespaces: %s", why)
	}
	m.lacks[needNetwork] = why
	m.lacks[needDelay] = m.whyNoDelay(ctx)
	m.lacks[needTrace] = canTrace(ctx)
	if os.Geteuid() != 0 {
		m.lacks[needMount] = "only root can mount"
	}
	return m, nil
}

func whyNoNetwork() string {
	if os.Geteuid() != 0 {
		return "only root can make network namespaces"
	}
	if absent := missing("ip", "nft", "tc"); absent != "" {
		return "not installed: " + absent
	}
	return ""
}

// whyNoDelay tries it out.
func (m *machine) whyNoDelay(ctx context.Context) string {
	if m.net == nil {
		return "needs network namespaces"
	}
	if err := m.net.delay(ctx, 0, "1ms"); err != nil {
		return "this kernel has no netem"
	}
	if err := m.net.heal(ctx, 0); err != nil {
		return err.Error()
	}
	return ""
}

// leftOut says why a scenario cannot be run here; empty if it can.
func (m *machine) leftOut(sc scenario) string {
	for _, n := range sc.needs {
		if why := m.lacks[n]; why != "" {
			return why
		}
	}
	return ""
}

// String says it in a line.
func (m *machine) String() string {
	if m.net == nil {
		return "all nodes are on loopback: " + m.lacks[needNetwork]
	}
	return "each node is in a network namespace of its own, in " + m.net.prefix + "0/24"
}

// addresses are where the target listens, and which node has which address.
func (m *machine) addresses() (self string, nodeOf map[string]string) {
	if m.net == nil {
		return "127.0.0.1", nil
	}
	nodeOf = map[string]string{}
	for i, host := range m.net.hosts() {
		nodeOf[host] = fmt.Sprintf("n%d", i+1)
	}
	return m.net.self(), nodeOf
}
