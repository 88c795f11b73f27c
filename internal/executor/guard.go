package executor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
)

// BlockedError says that a callback was not sent because its address is refused.
type BlockedError struct {
	Addr   netip.AddrPort
	Reason string
}

func (e *BlockedError) Error() string {
	return fmt.Sprintf("%s is not allowed as a target: %s", e.Addr, e.Reason)
}

// alwaysRefused are networks that no callback may reach, whatever the operator
// allows: addresses that name no single host, and those under which clouds hand
// out their machines' credentials.
var alwaysRefused = []struct {
	prefix netip.Prefix
	reason string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "it is unspecified"},
	{netip.MustParsePrefix("::/128"), "it is unspecified"},
	{netip.MustParsePrefix("224.0.0.0/4"), "it is multicast"},
	{netip.MustParsePrefix("ff00::/8"), "it is multicast"},
	{netip.MustParsePrefix("255.255.255.255/32"), "it is broadcast"},
	{netip.MustParsePrefix("169.254.0.0/16"), "it is link-local"},
	{netip.MustParsePrefix("fe80::/10"), "it is link-local"},
	{netip.MustParsePrefix("fd00:ec2::254/128"), "it is a cloud's metadata service"},
	{netip.MustParsePrefix("fd20:ce::254/128"), "it is a cloud's metadata service"},
	{netip.MustParsePrefix("100.100.100.200/32"), "it is a cloud's metadata service"},
	{netip.MustParsePrefix("168.63.129.16/32"), "it is a cloud's metadata service"},
	{netip.MustParsePrefix("192.0.0.192/32"), "it is a cloud's metadata service"},
}

// nat64 is the prefix under which a translator reaches every IPv4 address.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// guard decides which addresses callbacks may reach. It is asked with the
// resolved address of every dial, so neither a redirect nor a name that changes
// its mind gets past it.
type guard struct {
	allow, deny []netip.Prefix
	own         func() []netip.AddrPort
	// local are the addresses of this machine.
	local func() ([]net.Addr, error)
}

func newGuard(allow, deny []netip.Prefix, own func() []netip.AddrPort) *guard {
	return &guard{allow: unmapAll(allow), deny: unmapAll(deny), own: own, local: net.InterfaceAddrs}
}

// unmapAll is the prefixes with those of IPv4 in IPv6 form made IPv4 again, as
// the addresses they are compared with are.
func unmapAll(prefixes []netip.Prefix) []netip.Prefix {
	plain := make([]netip.Prefix, len(prefixes))
	for i, p := range prefixes {
		if plain[i] = p.Masked(); p.Addr().Is4In6() && p.Bits() >= 96 {
			plain[i] = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96).Masked()
		}
	}
	return plain
}

// control has the signature of [net.Dialer].ControlContext.
func (g *guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("check target address: %w", err)
	}
	return g.check(addr)
}

// check is nil or a *[BlockedError].
func (g *guard) check(target netip.AddrPort) error {
	addr := plainAddr(target.Addr())
	reason := refusedReason(addr)
	if reason == "" && g.isOwn(netip.AddrPortFrom(addr, target.Port())) {
		reason = "it is a port of this cluster"
	}
	if reason == "" && longest(g.deny, addr) >= 0 && longest(g.deny, addr) >= longest(g.allow, addr) {
		reason = "it is in a denied network"
	}
	if reason == "" {
		return nil
	}
	return &BlockedError{Addr: netip.AddrPortFrom(addr, target.Port()), Reason: reason}
}

// plainAddr is an address without zone and IPv6 disguise.
func plainAddr(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if nat64.Contains(a) {
		b := a.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return a
}

func refusedReason(addr netip.Addr) string {
	for _, r := range alwaysRefused {
		if r.prefix.Contains(addr) {
			return r.reason
		}
	}
	return ""
}

// isOwn reports whether target is one of the cluster's listeners. One of this
// machine's is known by its port on any of this machine's addresses.
func (g *guard) isOwn(target netip.AddrPort) bool {
	for _, own := range g.own() {
		addr := plainAddr(own.Addr())
		switch {
		case own.Port() != target.Port():
		case addr == target.Addr():
			return true
		case (addr.IsUnspecified() || g.isLocal(addr)) && g.isLocal(target.Addr()):
			return true
		}
	}
	return false
}

func (g *guard) isLocal(addr netip.Addr) bool {
	if addr.IsLoopback() {
		return true
	}
	locals, err := g.local()
	if err != nil {
		return true // better refuse one port too many
	}
	return slices.ContainsFunc(locals, func(l net.Addr) bool {
		p, err := netip.ParsePrefix(l.String())
		return err == nil && plainAddr(p.Addr()) == addr
	})
}

// longest is the length of the longest prefix that contains addr; -1 if none
// does.
func longest(prefixes []netip.Prefix, addr netip.Addr) int {
	bits := -1
	for _, p := range prefixes {
		if p.Contains(addr) {
			bits = max(bits, p.Bits())
		}
	}
	return bits
}
