package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
)

// firewall is what a node's namespace starts with: nothing is dropped. Packets are
// dropped where they come in, so that a cut in one direction is one rule in one
// place.
const firewall = `table inet failover
delete table inet failover
table inet failover {
	counter dropped { }
	set deaf { type ipv4_addr; }
	chain in {
		type filter hook input priority 0; policy accept;
		ip saddr @deaf counter name dropped drop
	}
}
`

// heal makes the i-th node hear everybody again, at once and without loss, and
// counts from zero.
func (n *network) heal(ctx context.Context, i int) error {
	if _, err := n.in(ctx, i, firewall, "nft", "-f", "-"); err != nil {
		return err
	}
	out, err := n.in(ctx, i, "", "tc", "qdisc", "show", "dev", "eth0")
	if err == nil && delayed.MatchString(out) {
		_, err = n.in(ctx, i, "", "tc", "qdisc", "delete", "dev", "eth0", "root")
	}
	return err
}

var delayed = regexp.MustCompile(`(?m)^qdisc netem`)

// deafen makes one node hear nothing that the other says.
func (n *network) deafen(ctx context.Context, node, other int) error {
	_, err := n.in(ctx, node, "", "nft", "add", "element", "inet", "failover", "deaf", "{", n.host(other), "}")
	return err
}

// lose makes a node lose so many percent of what other nodes, not this process,
// send to it.
func (n *network) lose(ctx context.Context, node, percent int) error {
	rule := fmt.Sprintf("add rule inet failover in ip saddr %s0/24 ip saddr != %s numgen random mod 100 < %d counter name dropped drop\n",
		n.prefix, n.self(), percent)
	_, err := n.in(ctx, node, rule, "nft", "-f", "-")
	return err
}

// delay holds back everything that a node sends.
func (n *network) delay(ctx context.Context, node int, by string) error {
	_, err := n.in(ctx, node, "", "tc", "qdisc", "add", "dev", "eth0", "root", "netem", "delay", by)
	return err
}

var packets = regexp.MustCompile(`packets (\d+)`)

// dropped is how many packets the i-th node has not heard since it was healed.
func (n *network) dropped(ctx context.Context, i int) (int, error) {
	out, err := n.in(ctx, i, "", "nft", "list", "counter", "inet", "failover", "dropped")
	if err != nil {
		return 0, err
	}
	found := packets.FindStringSubmatch(out)
	if found == nil {
		return 0, errors.New("nft list counter: no packets in " + out)
	}
	return strconv.Atoi(found[1])
}

func (n *network) in(ctx context.Context, i int, input string, line ...string) (string, error) {
	return command(ctx, input, n.wrap(i, line)...)
}
