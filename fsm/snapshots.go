package fsm

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
)

const (
	metaName    = "meta.json"
	contentName = "content"

	// retained is how many snapshots are kept.
	retained = 2
	// metaFormat is the newest format of meta.json.
	metaFormat = 1
)

var _ raft.SnapshotStore = (*Snapshots)(nil)

// Snapshots is where raft keeps its snapshots. This node's own are metadata: what
// they are snapshots of is the database, flushed. One that a leader sent has
// content until it is restored.
type Snapshots struct {
	store *Store
	files vfs.FS
	dir   string

	// mu guards what follows.
	mu sync.Mutex
	// list has the complete snapshots, newest first.
	list []snapshotMeta
	// last numbers the snapshots and checkpoints that were begun.
	last uint64
}

// snapshotMeta is a snapshot as meta.json describes it.
type snapshotMeta struct {
	Format             int
	ID                 string
	Number             uint64 // greater than that of any earlier snapshot
	Index, Term        uint64
	Version            raft.SnapshotVersion
	Configuration      raft.Configuration
	ConfigurationIndex uint64
	// HasContent: a leader sent it, and it is not known to be restored.
	HasContent bool
	Size       int64
	// Flushed, without content, is the index that the database has at least.
	Flushed uint64
}

func (m snapshotMeta) forRaft() *raft.SnapshotMeta {
	return &raft.SnapshotMeta{
		Version:            m.Version,
		ID:                 m.ID,
		Index:              m.Index,
		Term:               m.Term,
		Configuration:      m.Configuration,
		ConfigurationIndex: m.ConfigurationIndex,
		Size:               m.Size,
	}
}

// openSnapshots reads the snapshots of a store and removes incomplete ones.
func openSnapshots(s *Store) (*Snapshots, error) {
	c := &Snapshots{store: s, files: s.cfg.FS, dir: s.cfg.FS.PathJoin(s.cfg.Dir, snapshotsName)}
	if err := makeDir(c.files, c.dir); err != nil {
		return nil, err
	}
	names, err := c.files.List(c.dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if strings.HasPrefix(name, temporary) {
			err = errors.Join(err, c.files.RemoveAll(c.path(name)))
			continue
		}
		err = errors.Join(err, c.load(name))
	}
	c.sort()
	return c, err
}

// load reads one snapshot, and removes content that has served.
func (c *Snapshots) load(id string) error {
	m, err := c.readMeta(id)
	if err != nil {
		return err
	}
	c.list = append(c.list, m)
	c.last = max(c.last, m.Number)
	if m.HasContent {
		return nil
	}
	return c.files.RemoveAll(c.path(id, contentName))
}

func (c *Snapshots) path(elem ...string) string {
	return c.files.PathJoin(append([]string{c.dir}, elem...)...)
}

func (c *Snapshots) sort() {
	slices.SortFunc(c.list, func(a, b snapshotMeta) int {
		return cmp.Or(cmp.Compare(b.Term, a.Term), cmp.Compare(b.Index, a.Index), cmp.Compare(b.Number, a.Number))
	})
}

func (c *Snapshots) readMeta(id string) (snapshotMeta, error) {
	var m snapshotMeta
	b, err := readFile(c.files, c.path(id, metaName))
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	switch {
	case err != nil:
		return m, fmt.Errorf("read snapshot %s: %w", id, err)
	case m.Format > metaFormat:
		return m, fmt.Errorf("snapshot %s has format %d and this program reads %d at most: upgrade this node", id, m.Format, metaFormat)
	case m.ID != id || m.Format < 1:
		return m, fmt.Errorf("the metadata of snapshot %s is damaged: remove this node's data and let it join again", id)
	}
	return m, nil
}

func (c *Snapshots) writeMeta(dir string, m snapshotMeta) error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(c.files, dir, metaName, b)
}

// List is the complete snapshots, newest first. The size of one without content
// is known once it is opened.
func (c *Snapshots) List() ([]*raft.SnapshotMeta, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]*raft.SnapshotMeta, len(c.list))
	for i, m := range c.list {
		list[i] = m.forRaft()
	}
	return list, nil
}

func (c *Snapshots) find(id string) (snapshotMeta, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.list {
		if m.ID == id {
			return m, nil
		}
	}
	return snapshotMeta{}, fmt.Errorf("there is no snapshot %s", id)
}

// newest is the newest snapshot; false if there is none.
func (c *Snapshots) newest() (snapshotMeta, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.list) == 0 {
		return snapshotMeta{}, false
	}
	return c.list[0], true
}

func (c *Snapshots) number() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	return c.last
}

// Open streams a snapshot: what a leader sent as it came, else a checkpoint of
// the database as it is now, which has the snapshot's index or a later one. The
// size in the answer is exact. Whoever calls it closes the reader.
func (c *Snapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	m, err := c.find(id)
	if err != nil {
		return nil, nil, err
	}
	meta := m.forRaft()
	if m.HasContent {
		f, err := c.files.Open(c.path(id, contentName))
		if err != nil {
			return nil, nil, fmt.Errorf("open snapshot %s: %w", id, err)
		}
		return meta, f, nil
	}
	a, err := c.store.checkpoint(c.number())
	if err != nil {
		return nil, nil, fmt.Errorf("open snapshot %s: %w", id, err)
	}
	meta.Size = a.size
	return meta, a, nil
}

// add takes a snapshot whose folder is complete and removes the oldest ones.
func (c *Snapshots) add(m snapshotMeta) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, m)
	c.sort()
	var err error
	for len(c.list) > retained {
		oldest := c.list[len(c.list)-1]
		c.list = c.list[:len(c.list)-1]
		err = errors.Join(err, c.remove(oldest.ID))
	}
	return err
}

// remove removes a snapshot so that a crash leaves all of it, or what the next
// start takes for incomplete.
func (c *Snapshots) remove(id string) error {
	incomplete := c.path(temporary + id)
	if err := c.files.Rename(c.path(id), incomplete); err != nil {
		return err
	}
	return errors.Join(syncDir(c.files, c.dir), c.files.RemoveAll(incomplete))
}

// restored tells that the database now has what the snapshots contain up to the
// index applied, and what the named one does: their content has served. One with
// a greater index keeps its content, since it may have failed to be restored
// before an older one was; or it is greater by entries that raft keeps to itself,
// and is restored once more at the next start.
func (c *Snapshots) restored(applied uint64, id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, m := range c.list {
		if !m.HasContent || m.Index > applied && m.ID != id {
			continue
		}
		m.HasContent, m.Size, m.Flushed = false, 0, applied
		if err := c.writeMeta(c.path(m.ID), m); err != nil {
			return fmt.Errorf("drop the content of snapshot %s: %w", m.ID, err)
		}
		c.list[i] = m
		if err := c.files.Remove(c.path(m.ID, contentName)); err != nil {
			return fmt.Errorf("drop the content of snapshot %s: %w", m.ID, err)
		}
	}
	return nil
}
