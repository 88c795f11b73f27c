package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// gossipLabel keeps cronraft's packets apart from other memberlist clusters'.
const gossipLabel = "cronraft"

// card is what a node tells about itself in gossip: at most 512 bytes of JSON,
// hence the short names. It is a hint; raft's configuration is the membership.
type card struct {
	PeerAddr    string `json:"p"`
	HTTPAddr    string `json:"h"`
	Incarnation uint64 `json:"i,string"`
	ClusterID   string `json:"c,omitempty"`
	HasState    bool   `json:"s,omitempty"`
	Expect      int    `json:"e,omitempty"`
	Version     string `json:"v,omitempty"`
	LogVersion  int    `json:"l,omitempty"`
	ReadOnly    bool   `json:"r,omitempty"` // its disk is full
	Slow        bool   `json:"w,omitempty"` // its disk is slow
}

// neighbour is a node that gossip believes to be alive.
type neighbour struct {
	ID string
	// GossipAddr is where its gossip comes from.
	GossipAddr string
	card
}

// gossip finds the other nodes and tells them about this one.
type gossip struct {
	id      string
	logger  *slog.Logger
	list    *memberlist.Memberlist
	changed chan struct{}
	// patience bounds how long to wait until others have heard something.
	patience time.Duration
	// conflict carries the card of an older node of the same name, to which this
	// one has to give way if it still lives.
	conflict chan card

	// mu guards own, the card this node shows, and others, by name, this node
	// included.
	mu     sync.Mutex
	own    card
	others map[string]neighbour
}

func newGossip(c Config, t memberlist.Transport, own card) (*gossip, error) {
	g := &gossip{
		id: c.ID, own: own, others: map[string]neighbour{}, logger: c.Logger.With("component", "gossip"),
		changed: make(chan struct{}, 1), patience: 2 * c.Timing.Gossip, conflict: make(chan card, 1),
	}
	host, port, err := splitHostPort(c.GossipAddr)
	if err != nil {
		return nil, fmt.Errorf("gossip address: %w", err)
	}
	mc := memberlist.DefaultLANConfig()
	mc.Name = c.ID
	mc.Transport = t
	mc.AdvertiseAddr, mc.AdvertisePort = host, port
	mc.SecretKey = c.Secret.GossipKey()
	mc.Label = gossipLabel
	mc.ProbeInterval = c.Timing.Gossip
	mc.ProbeTimeout = c.Timing.Gossip / 2
	mc.GossipInterval = c.Timing.Gossip / 5
	mc.TCPTimeout = 3 * c.Timing.Gossip
	mc.PushPullInterval = 30 * c.Timing.Gossip
	mc.DeadNodeReclaimTime = 10 * c.Timing.Gossip
	mc.Delegate, mc.Events, mc.Conflict = cardDelegate{g}, g, g
	mc.Logger = slog.NewLogLogger(g.logger.Handler(), slog.LevelDebug)
	if g.list, err = memberlist.Create(mc); err != nil {
		return nil, fmt.Errorf("start gossip: %w", err)
	}
	return g, nil
}

// splitHostPort resolves the host, since gossip advertises addresses.
func splitHostPort(addr string) (host string, port int, err error) {
	host, digits, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	if port, err = strconv.Atoi(digits); err != nil {
		return "", 0, fmt.Errorf("port %q is not a number", digits)
	}
	if net.ParseIP(host) != nil {
		return host, port, nil
	}
	ips, err := net.LookupHost(host)
	if err != nil {
		return "", 0, err
	}
	return ips[0], port, nil
}

// neighbours lists every node that gossip believes to be alive, this one
// included, by name.
func (g *gossip) neighbours() []neighbour {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := slices.Collect(maps.Values(g.others))
	slices.SortFunc(out, func(a, b neighbour) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// find is the neighbour of that name; false if gossip shows none.
func (g *gossip) find(id string) (neighbour, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, ok := g.others[id]
	return n, ok
}

// show changes this node's card and tells the others.
func (g *gossip) show(change func(*card)) {
	g.mu.Lock()
	before := g.own
	change(&g.own)
	same := g.own == before
	g.mu.Unlock()
	if same {
		return
	}
	// Without a limit it would wait for ever once gossip is stopped.
	if err := g.list.UpdateNode(g.patience); err != nil {
		g.logger.Debug("tell the new card", "err", err)
	}
	g.poke()
}

// join contacts the given addresses, which may be names of several hosts; nil
// if at least one answered.
func (g *gossip) join(addrs []string) error {
	if len(addrs) == 0 {
		return errors.New("no address to join")
	}
	_, err := g.list.Join(addrs)
	return err
}

// leave tells the others that this node goes. That nobody heard it in time is no
// harm: they find out.
func (g *gossip) leave() {
	if err := g.list.Leave(g.patience); err != nil {
		g.logger.Debug("leave", "err", err)
	}
}

func (g *gossip) stop() error { return g.list.Shutdown() }

func (g *gossip) poke() { poke(g.changed) }

// NotifyJoin takes note of a node that is alive. It copies what it is given,
// which memberlist goes on changing.
func (g *gossip) NotifyJoin(m *memberlist.Node) {
	n := neighbour{ID: m.Name, GossipAddr: m.Address()}
	readable := json.Unmarshal(m.Meta, &n.card) == nil && n.PeerAddr != ""
	g.mu.Lock()
	defer g.mu.Unlock()
	if readable {
		g.others[m.Name] = n
	}
	g.poke()
}

// NotifyUpdate takes note of a node's new card.
func (g *gossip) NotifyUpdate(m *memberlist.Node) { g.NotifyJoin(m) }

// NotifyLeave takes note of a node that died or left.
func (g *gossip) NotifyLeave(m *memberlist.Node) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.others, m.Name)
	g.poke()
}

// NotifyConflict is called when two nodes claim one name: the one that started
// later has to give way (rule D20). The other may also be an earlier life of this
// one, at another address, that gossip has not given up yet.
func (g *gossip) NotifyConflict(_, other *memberlist.Node) {
	var theirs card
	if other.Name != g.id || json.Unmarshal(other.Meta, &theirs) != nil {
		return
	}
	g.mu.Lock()
	newcomer := g.own.Incarnation > theirs.Incarnation && theirs.Incarnation != 0
	g.mu.Unlock()
	if !newcomer {
		return
	}
	select {
	case g.conflict <- theirs:
	default:
	}
}

// cardDelegate gives memberlist the card; the other delegate calls are unused.
type cardDelegate struct{ g *gossip }

// NodeMeta is this node's card.
func (d cardDelegate) NodeMeta(limit int) []byte {
	d.g.mu.Lock()
	defer d.g.mu.Unlock()
	meta, err := json.Marshal(d.g.own)
	if err != nil || len(meta) > limit {
		d.g.logger.Error("the gossip card does not fit; shorten the addresses", "bytes", len(meta), "limit", limit)
		return nil
	}
	return meta
}

// NotifyMsg ignores user messages: there are none.
func (cardDelegate) NotifyMsg([]byte) {}

// GetBroadcasts has nothing to send.
func (cardDelegate) GetBroadcasts(int, int) [][]byte { return nil }

// LocalState has nothing to exchange.
func (cardDelegate) LocalState(bool) []byte { return nil }

// MergeRemoteState has nothing to take in.
func (cardDelegate) MergeRemoteState([]byte, bool) {}
