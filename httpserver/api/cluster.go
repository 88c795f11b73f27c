package api

// Cluster is the cluster as the answering node sees it.
type Cluster struct {
	NodeID string `json:"nodeId"`
	// LeaderID is null while no leader is known.
	LeaderID *string `json:"leaderId"`
	Term     uint64  `json:"term"`
	Nodes    []Node  `json:"nodes"`
}

// Node is one member.
type Node struct {
	NodeID       string `json:"nodeId"`
	HTTPAddr     string `json:"httpAddr"`
	PeerAddr     string `json:"peerAddr"`
	Role         string `json:"role"`
	State        string `json:"state"`
	AppliedIndex uint64 `json:"appliedIndex"`
	OpenAttempts int    `json:"openAttempts"`
	Version      string `json:"version"`
	// ClockSkewMs is how far the node's wall clock is ahead of the leader's.
	ClockSkewMs *int64 `json:"clockSkewMs"`
	// ReadOnly: the node's disk is full.
	ReadOnly bool `json:"readOnly"`
}

// LeadershipTransferred answers a transfer of leadership.
type LeadershipTransferred struct {
	LeaderID string `json:"leaderId"`
}

// NodeRemoved answers the removal of a node.
type NodeRemoved struct {
	NodeID  string `json:"nodeId"`
	Removed bool   `json:"removed"`
}

// StateHash is the hash of a node's whole state at an index: equal on all nodes.
type StateHash struct {
	NodeID       string `json:"nodeId"`
	AppliedIndex uint64 `json:"appliedIndex"`
	Hash         string `json:"hash"`
}
