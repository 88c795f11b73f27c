package fsm

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
)

// sink is a snapshot that is being made: by this node, without content, or from
// what a leader sends. Its folder gets its name when it is complete.
type sink struct {
	snapshots *Snapshots
	meta      snapshotMeta
	content   vfs.File // nil before the first write
	own       bool
	ended     bool
}

// Create begins a snapshot. It is for one goroutine.
func (c *Snapshots) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration,
	configurationIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	if version != 1 {
		return nil, fmt.Errorf("there are no snapshots of version %d here", version)
	}
	number := c.number()
	k := &sink{snapshots: c, meta: snapshotMeta{
		Format:             metaFormat,
		ID:                 fmt.Sprintf("%d-%d-%d", term, index, number),
		Number:             number,
		Index:              index,
		Term:               term,
		Version:            version,
		Configuration:      configuration,
		ConfigurationIndex: configurationIndex,
	}}
	if err := c.files.MkdirAll(k.incomplete(), 0o755); err != nil {
		return nil, fmt.Errorf("create snapshot %s: %w", k.ID(), err)
	}
	return k, nil
}

func (k *sink) incomplete() string { return k.snapshots.path(temporary + k.meta.ID) }

// ID names the snapshot.
func (k *sink) ID() string { return k.meta.ID }

// Write takes content that a leader sends.
func (k *sink) Write(b []byte) (n int, err error) {
	if k.content == nil {
		name := k.snapshots.files.PathJoin(k.incomplete(), contentName)
		if k.content, err = k.snapshots.files.Create(name, vfs.WriteCategoryUnspecified); err != nil {
			return 0, fmt.Errorf("write snapshot %s: %w", k.ID(), err)
		}
		k.meta.HasContent = true
	}
	n, err = k.content.Write(append([]byte(nil), b...)) // a vfs.File may change what it is given
	k.meta.Size += int64(n)
	return n, err
}

// Close completes the snapshot, durably. After Close or Cancel it does nothing.
func (k *sink) Close() error {
	if k.ended {
		return nil
	}
	if err := k.complete(); err != nil {
		return errors.Join(fmt.Errorf("complete snapshot %s: %w", k.ID(), err), k.Cancel())
	}
	k.ended = true
	return k.snapshots.add(k.meta)
}

func (k *sink) complete() error {
	c := k.snapshots
	if k.own == k.meta.HasContent {
		return errors.New("it has to have content exactly if a leader sends it")
	}
	if err := k.closeContent(); err != nil {
		return err
	}
	if err := c.writeMeta(k.incomplete(), k.meta); err != nil {
		return err
	}
	if err := c.files.Rename(k.incomplete(), c.path(k.ID())); err != nil {
		return err
	}
	return syncDir(c.files, c.dir)
}

func (k *sink) closeContent() error {
	if k.content == nil {
		return nil
	}
	f := k.content
	k.content = nil
	return errors.Join(f.Sync(), f.Close())
}

// Cancel gives the snapshot up.
func (k *sink) Cancel() error {
	if k.ended {
		return nil
	}
	k.ended = true
	return errors.Join(k.closeContent(), k.snapshots.files.RemoveAll(k.incomplete()))
}
