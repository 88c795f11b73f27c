package executor

import (
	"errors"
	"net"
	"net/netip"
	"testing"
)

func prefixes(list ...string) []netip.Prefix {
	var parsed []netip.Prefix
	for _, p := range list {
		parsed = append(parsed, netip.MustParsePrefix(p))
	}
	return parsed
}

func TestGuard(t *testing.T) {
	t.Parallel()
	own := []netip.AddrPort{
		netip.MustParseAddrPort("0.0.0.0:8400"),
		netip.MustParseAddrPort("192.0.2.10:8401"),
		netip.MustParseAddrPort("[::1]:8402"),
		netip.MustParseAddrPort("198.51.100.7:8401"), // of another machine
	}
	tests := []struct {
		target      string
		allow, deny []string
		refused     bool
	}{
		{target: "93.184.216.34:443"},
		{target: "[2001:db8::1]:443"},
		{target: "127.0.0.1:9999"},
		{target: "10.1.2.3:80"},

		{target: "169.254.169.254:80", refused: true},
		{target: "169.254.1.1:80", allow: []string{"169.254.0.0/16", "0.0.0.0/0"}, refused: true},
		{target: "[fe80::1]:80", refused: true},
		{target: "[fe80::1%eth0]:80", refused: true},
		{target: "[fd00:ec2::254]:80", refused: true},
		{target: "[fd00:ec2::255]:80"},
		{target: "100.100.100.200:80", refused: true},
		{target: "0.0.0.0:80", refused: true},
		{target: "[::]:80", refused: true},
		{target: "224.0.0.1:80", refused: true},
		{target: "[ff02::1]:80", refused: true},
		{target: "[::ffff:169.254.169.254]:80", refused: true},
		{target: "[64:ff9b::a9fe:a9fe]:80", refused: true},

		{target: "127.0.0.1:8400", refused: true},
		{target: "192.0.2.10:8400", refused: true},
		{target: "[::ffff:127.0.0.1]:8400", refused: true},
		{target: "93.184.216.34:8400"},
		{target: "192.0.2.10:8401", refused: true},
		{target: "127.0.0.1:8401", refused: true},
		{target: "127.0.0.1:8402", refused: true},
		{target: "198.51.100.7:8401", refused: true},
		{target: "198.51.100.7:8400"},
		{target: "127.0.0.1:8400", allow: []string{"127.0.0.1/32"}, refused: true},

		{target: "10.1.2.3:80", deny: []string{"10.0.0.0/8"}, refused: true},
		{target: "[::ffff:10.1.2.3]:80", deny: []string{"10.0.0.0/8"}, refused: true},
		{target: "10.1.2.3:80", deny: []string{"::ffff:10.0.0.0/104"}, refused: true},
		{target: "10.1.2.3:80", deny: []string{"10.0.0.0/8"}, allow: []string{"10.1.0.0/16"}},
		{target: "10.1.2.3:80", deny: []string{"10.0.0.0/8", "10.1.2.0/24"}, allow: []string{"10.1.0.0/16"}, refused: true},
		{target: "10.1.2.3:80", deny: []string{"10.0.0.0/8"}, allow: []string{"10.0.0.0/8"}, refused: true},
		{target: "11.1.2.3:80", deny: []string{"0.0.0.0/0"}, allow: []string{"10.0.0.0/8"}, refused: true},
		{target: "[2001:db8::1]:80", deny: []string{"0.0.0.0/0"}},
		{target: "[2001:db8::1]:80", deny: []string{"::/0"}, refused: true},
	}
	for _, tc := range tests {
		g := newGuard(prefixes(tc.allow...), prefixes(tc.deny...), func() []netip.AddrPort { return own })
		g.local = func() ([]net.Addr, error) {
			return []net.Addr{&net.IPNet{IP: net.IPv4(192, 0, 2, 10), Mask: net.CIDRMask(24, 32)}}, nil
		}
		err := g.control(t.Context(), "tcp", tc.target, nil)
		var blocked *BlockedError
		if refused := errors.As(err, &blocked); refused != tc.refused || refused != (err != nil) {
			t.Errorf("%s, allow %v, deny %v: %v, want refused = %t", tc.target, tc.allow, tc.deny, err, tc.refused)
		}
	}
}

func TestGuard_UnknownLocalAddressesRefuse(t *testing.T) {
	t.Parallel()
	g := newGuard(nil, nil, func() []netip.AddrPort { return []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:8400")} })
	g.local = func() ([]net.Addr, error) { return nil, errors.New("no such call") }
	if err := g.check(netip.MustParseAddrPort("93.184.216.34:8400")); err == nil {
		t.Error("an own port was allowed without knowing whose address it is")
	}
}
