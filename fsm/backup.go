package fsm

import (
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"
)

// backupCacheBytes is enough to read three values of a backup.
const backupCacheBytes = 1 << 20

// Backup is the whole state at one index on its way out, in the form that
// [Store.Restore] takes. It is for one goroutine. Reading fails rather than end
// early, and what was cut off or damaged on the way is refused by Restore. It
// holds disk, and more of it as the store changes, until it is closed.
type Backup struct {
	io.ReadCloser
	// Index is the last entry of the log that the state has.
	Index uint64
	// ClusterID is whose state it is.
	ClusterID string
	// Size is exactly how many bytes there are to read.
	Size int64
}

// Backup begins a backup, beside Apply: it costs a flush and hard links. Which
// index it is at is asked of the copy itself, since entries may be applied while it is
// made; that it can be opened is known by then, too.
func (s *Store) Backup() (*Backup, error) {
	a, err := s.checkpoint(s.snapshots.number())
	if err != nil {
		return nil, fmt.Errorf("back up the state: %w", err)
	}
	b := &Backup{ReadCloser: a, Size: a.size}
	if err := b.identify(s, a.dir); err != nil {
		return nil, errors.Join(fmt.Errorf("back up the state: read the copy: %w", err), a.Close())
	}
	return b, nil
}

// identify reads from the copy in dir which state it is. The copy stays as it is, but
// for a lock file, which the archive has not.
func (b *Backup) identify(s *Store, dir string) error {
	options := s.options(func(error) {}) // the node goes on, whatever is wrong with a copy
	options.ReadOnly = true
	options.Cache = pebble.NewCache(backupCacheBytes)
	defer options.Cache.Unref()
	db, err := pebble.Open(dir, options)
	if err != nil {
		return err
	}
	st := &state{db: db}
	if err := errors.Join(st.loadSingles(), db.Close()); err != nil {
		return err
	}
	b.Index, b.ClusterID = st.applied, st.clusterID
	return nil
}
