package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
)

// maxNodes is how many nodes a network has a namespace for.
const maxNodes = 5

// network is one private network: each node in a namespace of its own, with one
// interface, plugged into a bridge; the bridge is in a namespace of its own too, so
// that no rule of this machine's firewall sees what nodes say to each other; and
// one plug for this process, in the namespace where it is.
type network struct {
	id     string // begins all names, see [runID]
	prefix string // of the addresses, with a dot at its end
}

// newNetwork makes the network. It has to be closed also if it fails.
func newNetwork(ctx context.Context, id string) (*network, error) {
	prefix, err := freePrefix()
	if err != nil {
		return nil, err
	}
	n := &network{id: id, prefix: prefix}
	err = ip(ctx,
		"netns add "+n.hub(),
		"-n "+n.hub()+" link add name bridge0 type bridge",
		"-n "+n.hub()+" link set bridge0 up",
		fmt.Sprintf("link add %s type veth peer name host netns %s", n.plug(), n.hub()),
		fmt.Sprintf("-n %s link set host master bridge0 up", n.hub()),
		fmt.Sprintf("addr add %s/24 dev %s", n.self(), n.plug()),
		"link set "+n.plug()+" up",
	)
	for i := 0; i < maxNodes && err == nil; i++ {
		err = n.addNode(ctx, i)
	}
	if err != nil {
		return n, fmt.Errorf("make a network: %w", err)
	}
	return n, nil
}

func (n *network) addNode(ctx context.Context, i int) error {
	err := ip(ctx,
		"netns add "+n.namespace(i),
		fmt.Sprintf("-n %s link add eth0 type veth peer name n%d netns %s", n.namespace(i), i+1, n.hub()),
		fmt.Sprintf("-n %s link set n%d master bridge0 up", n.hub(), i+1),
		fmt.Sprintf("-n %s addr add %s/24 dev eth0", n.namespace(i), n.host(i)),
		fmt.Sprintf("-n %s link set eth0 up", n.namespace(i)),
		fmt.Sprintf("-n %s link set lo up", n.namespace(i)),
	)
	if err != nil {
		return err
	}
	return n.heal(ctx, i)
}

// close removes everything that the network consists of. What runs in it must
// have ended.
func (n *network) close(ctx context.Context) error {
	names, err := namespaces(n.id)
	for _, name := range names {
		err = errors.Join(err, ip(ctx, "netns delete "+name))
	}
	if _, lookup := net.InterfaceByName(n.plug()); lookup == nil {
		err = errors.Join(err, ip(ctx, "link delete "+n.plug()))
	}
	return err
}

// namespaces are the names of those that begin with the ID.
func namespaces(id string) ([]string, error) {
	entries, err := os.ReadDir("/run/netns")
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), id) {
			names = append(names, e.Name())
		}
	}
	return names, err
}

func (n *network) hub() string            { return n.id + "hub" }
func (n *network) plug() string           { return n.id + "p" }
func (n *network) namespace(i int) string { return fmt.Sprintf("%sn%d", n.id, i+1) }

// self is this process's address.
func (n *network) self() string { return n.prefix + "1" }

// host is the i-th node's address.
func (n *network) host(i int) string { return fmt.Sprintf("%s%d", n.prefix, 11+i) }

func (n *network) hosts() []string {
	var hosts []string
	for i := range maxNodes {
		hosts = append(hosts, n.host(i))
	}
	return hosts
}

// wrap runs a command line in the i-th node's namespace.
func (n *network) wrap(i int, line []string) []string {
	return slices.Concat([]string{"ip", "netns", "exec", n.namespace(i)}, line)
}

// freePrefix is a private /24 that no interface of this machine is in.
func freePrefix() (string, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "", err
	}
	first := os.Getpid()
	for i := range 256 {
		prefix := fmt.Sprintf("10.231.%d.", (first+i)%256)
		self := net.ParseIP(prefix + "1")
		taken := slices.ContainsFunc(addrs, func(a net.Addr) bool {
			other, ok := a.(*net.IPNet)
			return ok && (other.Contains(self) || strings.HasPrefix(other.IP.String(), prefix))
		})
		if !taken {
			return prefix, nil
		}
	}
	return "", errors.New("every network in 10.231.0.0/16 is taken on this machine")
}
