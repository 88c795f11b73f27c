package transport

import "github.com/cronraft/cronraft/transport/peerpb"

// Greeting is how a node introduces itself, and what it answers to another's
// introduction.
type Greeting struct {
	ClusterID   string // empty before the node belongs to a cluster
	NodeID      string
	Incarnation uint64
	// HasState reports whether the node has raft state: it never bootstraps then.
	HasState bool
	// Expect is how many nodes the node waits for before it bootstraps.
	Expect   int
	PeerAddr string // where peers reach it
	HTTPAddr string // where users reach it
	Version  string // of the program
	// Candidates are the nodes, by name, that would found a cluster with this one
	// as it sees them now.
	Candidates []string
	// LogVersion is the newest version of log entries that the node can apply.
	LogVersion int
	// AppliedIndex is the last log entry that the node has applied.
	AppliedIndex uint64
	// OpenAttempts is how many attempts the node has not ended.
	OpenAttempts int
	// Term is raft's current one on the node; zero from an older program.
	Term uint64
	// Dismissed is a life of the greeted node that the greeter's cluster has
	// removed: that one has to go. Zero for none.
	Dismissed uint64
}

func greetingToWire(g Greeting) *peerpb.Greeting {
	return &peerpb.Greeting{
		ClusterId:    g.ClusterID,
		NodeId:       g.NodeID,
		Incarnation:  g.Incarnation,
		HasState:     g.HasState,
		Expect:       int64(g.Expect),
		PeerAddr:     g.PeerAddr,
		HttpAddr:     g.HTTPAddr,
		Version:      g.Version,
		LogVersion:   int64(g.LogVersion),
		AppliedIndex: g.AppliedIndex,
		OpenAttempts: int64(g.OpenAttempts),
		Candidates:   g.Candidates,
		Term:         g.Term,
		Dismissed:    g.Dismissed,
	}
}

func greetingFromWire(p *peerpb.Greeting) Greeting {
	return Greeting{
		ClusterID:    p.GetClusterId(),
		NodeID:       p.GetNodeId(),
		Incarnation:  p.GetIncarnation(),
		HasState:     p.GetHasState(),
		Expect:       int(p.GetExpect()),
		PeerAddr:     p.GetPeerAddr(),
		HTTPAddr:     p.GetHttpAddr(),
		Version:      p.GetVersion(),
		LogVersion:   int(p.GetLogVersion()),
		AppliedIndex: p.GetAppliedIndex(),
		OpenAttempts: int(p.GetOpenAttempts()),
		Candidates:   p.GetCandidates(),
		Term:         p.GetTerm(),
		Dismissed:    p.GetDismissed(),
	}
}
