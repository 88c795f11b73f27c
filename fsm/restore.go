package fsm

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cronraft/cronraft/internal/crashpoint"
)

// checkpoint makes a stream of the whole state, beside Apply. It costs a flush
// and hard links; closing the stream removes them.
func (s *Store) checkpoint(number uint64) (*archive, error) {
	dir := s.cfg.FS.PathJoin(s.cfg.Dir, checkpointPrefix+strconv.FormatUint(number, 10))
	err := s.linkInto(dir)
	if err == nil {
		var a *archive
		if a, err = newArchive(s.cfg.FS, dir); err == nil {
			return a, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("make a checkpoint: %w", err), s.cfg.FS.RemoveAll(dir))
}

func (s *Store) linkInto(dir string) error {
	s.life.RLock()
	defer s.life.RUnlock()
	db, _, err := s.database()
	if err != nil {
		return err
	}
	version := s.LogVersion()
	if err := db.Flush(); err != nil {
		return err
	}
	if err := db.Checkpoint(dir); err != nil || version >= indexVersion {
		return err
	}
	return s.withoutIndex(dir)
}

// indexVersion is the version of the log from which on every member knows what an index
// is. An older one would take it for a part of the state.
const indexVersion = 3

// withoutIndex removes the index from the copy in dir. Who needs one makes a new one.
func (s *Store) withoutIndex(dir string) error {
	options := s.options(func(error) {}) // the node goes on, whatever is wrong with a copy
	options.ErrorIfNotExists, options.DisableAutomaticCompactions = true, true
	options.Cache = pebble.NewCache(backupCacheBytes)
	defer options.Cache.Unref()
	db, err := pebble.Open(dir, options)
	if err != nil {
		return err
	}
	err = db.DeleteRange([]byte(indexPrefix), afterAll([]byte(indexPrefix)), pebble.NoSync)
	return errors.Join(err, db.Flush(), db.Close())
}

// Restore puts the state that a stream of [Snapshots.Open] holds in the place of
// this one. If it fails, or the machine does, the old state stays.
func (s *Store) Restore(from io.ReadCloser) error {
	if err := s.restore(from); err != nil {
		return fmt.Errorf("restore the state: %w", err)
	}
	return nil
}

func (s *Store) restore(from io.Reader) error {
	n, _ := databaseNumber(s.state.name)
	name := databaseName(n + 1)
	now, err := s.unpack(from, name)
	if err != nil {
		return errors.Join(err, s.cfg.FS.RemoveAll(s.cfg.FS.PathJoin(s.cfg.Dir, name)))
	}
	if err := s.setCurrent(name); err != nil {
		// Which state the next start finds is not known: no more may be applied.
		err = errors.Join(fmt.Errorf("make %s current: %w", name, err), now.db.Close())
		s.cfg.Failed(err)
		return err
	}
	s.cfg.Reached.Reach(crashpoint.Swapped)
	now.live.Store(true)
	if err := s.exchange(now); err != nil {
		return err
	}
	return s.snapshots.restored(now.applied, "")
}

// unpack makes a database of a stream, in a folder of its own, and opens it.
func (s *Store) unpack(from io.Reader, name string) (*state, error) {
	dir := s.cfg.FS.PathJoin(s.cfg.Dir, name)
	if err := s.cfg.FS.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := makeDir(s.cfg.FS, dir); err != nil {
		return nil, err
	}
	if err := extract(from, s.cfg.FS, dir); err != nil {
		return nil, err
	}
	return s.openState(name, true)
}

// exchange makes a state the current one, and closes and removes the old one
// once nobody uses it.
func (s *Store) exchange(now *state) error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return errors.Join(errClosed, now.db.Close())
	}
	old := s.replace(now)
	dir := s.cfg.FS.PathJoin(s.cfg.Dir, old.name)
	return errors.Join(old.db.Close(), s.cfg.FS.RemoveAll(dir))
}

// RecoverSnapshot restores the newest snapshot if the database is behind it: the
// machine stopped between the moment when raft had a leader's snapshot and the
// moment when the store had it. It has to be called before raft starts, which
// takes for granted that the store has all of its newest snapshot.
func (s *Store) RecoverSnapshot() error {
	m, ok := s.snapshots.newest()
	switch {
	case !ok:
		return nil
	case !m.HasContent && m.Flushed > s.Applied():
		return fmt.Errorf("the database has entry %d of the log and snapshot %s needs %d: it was replaced or is damaged; remove this node's data and let it join again",
			s.Applied(), m.ID, m.Flushed)
	case !m.HasContent:
		return nil
	case m.Index <= s.Applied():
		return s.snapshots.restored(s.Applied(), m.ID)
	}
	_, content, err := s.snapshots.Open(m.ID)
	if err != nil {
		return err
	}
	if err := errors.Join(s.Restore(content), content.Close()); err != nil {
		return err
	}
	return s.snapshots.restored(s.Applied(), m.ID)
}
