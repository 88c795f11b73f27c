package node

import (
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"

	"github.com/cronraft/cronraft/fsm"
)

const (
	// raftLogFile is the bolt file below the data directory.
	raftLogFile = "raft.db"
	// logCacheEntries are kept in memory so that replication need not read them
	// back.
	logCacheEntries = 128
	raftPoolSize    = 3
	// maxAppendEntries go into one request, of which one is under way at a time.
	maxAppendEntries = 64
	raftIOTimeout    = 10 * time.Second
)

// openLog opens raft's log in dir. Bolt's freelist is not synced (rule D18): it
// is rebuilt at start, and each commit writes less.
func openLog(dir string) (LogStore, error) {
	store, err := raftboltdb.New(raftboltdb.Options{
		Path: filepath.Join(dir, raftLogFile),
		BoltOptions: &bbolt.Options{
			Timeout:        time.Second,
			NoFreelistSync: true,
			FreelistType:   bbolt.FreelistMapType,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("open the raft log (is another process using this data directory?): %w", err)
	}
	return store, nil
}

func raftConfig(c Config) *raft.Config {
	rc := raft.DefaultConfig()
	rc.LocalID = raft.ServerID(c.ID)
	rc.HeartbeatTimeout = c.Timing.Election
	rc.ElectionTimeout = c.Timing.Election
	rc.LeaderLeaseTimeout = c.Timing.Election / 2
	rc.CommitTimeout = c.Timing.Commit
	rc.BatchApplyCh = true
	rc.MaxAppendEntries = maxAppendEntries
	rc.SnapshotInterval = c.Compaction.Interval
	rc.SnapshotThreshold = c.Compaction.Entries
	rc.TrailingLogs = c.Compaction.Trailing
	rc.NoSnapshotRestoreOnStart = true
	rc.NoLegacyTelemetry = true
	rc.Logger = raftLogger(c.Logger)
	return rc
}

// startRaft restores a snapshot that is ahead of the store before raft, which
// would believe it restored, gets to see it (rule D1).
func startRaft(c Config, store *fsm.Store, state raft.FSM, logs *carefulLog, t *plainTransport) (*raft.Raft, error) {
	if err := store.RecoverSnapshot(); err != nil {
		return nil, fmt.Errorf("recover the newest snapshot: %w", err)
	}
	hasState, err := raft.HasExistingState(logs, logs, store.Snapshots())
	if err != nil {
		return nil, fmt.Errorf("look for raft's state: %w", err)
	}
	if err := t.electing.begin(logs, hasState); err != nil {
		return nil, err
	}
	cached, err := raft.NewLogCache(logCacheEntries, logs)
	if err != nil {
		return nil, fmt.Errorf("cache the raft log: %w", err)
	}
	r, err := raft.NewRaft(raftConfig(c), state, cached, logs, store.Snapshots(), t)
	if err != nil {
		return nil, fmt.Errorf("start raft (if the data directory is damaged, stop, remove it and rejoin): %w", err)
	}
	leads := func() bool { return r.State() == raft.Leader }
	logs.leads.Store(&leads)
	t.serve(r)
	return r, nil
}

func newRaftTransport(streams raft.StreamLayer, logger *slog.Logger) *raft.NetworkTransport {
	return raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream:  streams,
		MaxPool: raftPoolSize,
		Timeout: raftIOTimeout,
		Logger:  raftLogger(logger),
	})
}

// raftLogger sends hclog's lines to slog, one level lower than raft gives them:
// its info is our debug.
func raftLogger(logger *slog.Logger) hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Name: "raft", Level: hclog.Info, Output: io.Discard})
	l.RegisterSink(slogSink{logger.With("component", "raft")})
	return l
}

// ordinary are lines that raft takes for errors and that belong to the life of a
// healthy cluster, or repeat many times a second what the scheduler tells once.
var ordinary = map[string]bool{
	"failed to heartbeat to": true, "failed to appendEntries to": true, "failed to make requestVote RPC": true,
	"failed to contact": true, "failed to decode incoming command": true, "failed to pre-vote": true,
	"peer has newer term, stopping replication": true, "appendEntries rejected, sending older logs": true,
	"failed to get previous log": true, "no known peers, aborting election": true,
}

type slogSink struct{ logger *slog.Logger }

// Accept passes one line on.
func (s slogSink) Accept(_ string, level hclog.Level, msg string, args ...any) {
	switch {
	case ordinary[msg]:
		s.logger.Debug(msg, args...)
	case level >= hclog.Error:
		s.logger.Warn(msg, args...)
	case level >= hclog.Warn:
		s.logger.Info(msg, args...)
	default:
		s.logger.Debug(msg, args...)
	}
}
