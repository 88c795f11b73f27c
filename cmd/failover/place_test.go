package main

import (
	"os"
	"strconv"
	"testing"
)

// gone is the ID of a process that cannot exist: Linux has none above 2^22.
const gone = 1<<22 + 1

func TestDeadOwner(t *testing.T) {
	t.Parallel()
	self := strconv.Itoa(os.Getpid())
	dead := strconv.Itoa(gone)
	for name, want := range map[string]int{
		"crf" + dead + "hub":         gone,
		"crf" + dead + "n3":          gone,
		"crf" + dead + "p":           gone,
		placePrefix + dead:           gone,
		"crf" + self + "hub":         0,
		placePrefix + self:           0,
		"crf" + dead + "x":           0,
		"xcrf" + dead + "hub":        0,
		placePrefix + dead + ".keep": 0,
		"eth0":                       0,
		"crfhub":                     0,
	} {
		if got := deadOwner(name); got != want {
			t.Errorf("%s: got %d, want %d", name, got, want)
		}
	}
	if got := deadOwners([]string{"crf" + dead + "n1", "lo"}, []string{"crf" + dead + "p"}); len(got) != 1 || got[0] != gone {
		t.Errorf("got %v", got)
	}
}

func TestNetworkNames(t *testing.T) {
	t.Parallel()
	n := &network{id: runID(1 << 22), prefix: "10.231.7."}
	const longestInterfaceName = 15
	if len(n.plug()) > longestInterfaceName {
		t.Errorf("%s is too long for an interface", n.plug())
	}
	for _, name := range []string{n.hub(), n.plug(), n.namespace(0), n.namespace(maxNodes - 1)} {
		if ours.FindStringSubmatch(name) == nil {
			t.Errorf("%s would not be found when it is left over", name)
		}
	}
	if got := n.hosts(); len(got) != maxNodes || got[0] != "10.231.7.11" || n.self() != "10.231.7.1" {
		t.Errorf("got %v, %s", got, n.self())
	}
}
