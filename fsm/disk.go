package fsm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The names in the store's folder; doc.go has the picture.
const (
	currentName      = "CURRENT"
	databasePrefix   = "db-"
	checkpointPrefix = "checkpoint-"
	snapshotsName    = "snapshots"
	// temporary begins the name of what is not complete yet.
	temporary = "tmp-"
)

// databaseName is the folder of the n-th database of this store.
func databaseName(n uint64) string { return databasePrefix + strconv.FormatUint(n, 10) }

func databaseNumber(name string) (uint64, bool) {
	digits, ok := strings.CutPrefix(name, databasePrefix)
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, ok && err == nil && databaseName(n) == name
}

// currentDir is the name of the database's folder. A new store's is named before
// it is made: if there is a database without a CURRENT, something has removed
// the file, and to begin with nothing would be to forget everything.
func (s *Store) currentDir() (string, error) {
	name, err := readFile(s.cfg.FS, s.cfg.FS.PathJoin(s.cfg.Dir, currentName))
	switch {
	case err == nil:
		return parseCurrent(string(name))
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	names, err := s.cfg.FS.List(s.cfg.Dir)
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if _, ok := databaseNumber(name); ok {
			return "", fmt.Errorf("there is %s but no %s to say whether it is complete: remove this node's data and let it join again", name, currentName)
		}
	}
	return databaseName(1), s.setCurrent(databaseName(1))
}

func parseCurrent(content string) (string, error) {
	name := strings.TrimSuffix(content, "\n")
	if _, ok := databaseNumber(name); !ok {
		return "", fmt.Errorf("%s names no database but %q: remove this node's data and let it join again", currentName, content)
	}
	return name, nil
}

// setCurrent makes a database the current one, durably.
func (s *Store) setCurrent(name string) error {
	return writeFile(s.cfg.FS, s.cfg.Dir, currentName, []byte(name+"\n"))
}

// removeLeftovers removes what a crash has left: databases that are not current,
// and what was being streamed.
func (s *Store) removeLeftovers(current string) error {
	names, err := s.cfg.FS.List(s.cfg.Dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		_, database := databaseNumber(name)
		if database && name != current || strings.HasPrefix(name, checkpointPrefix) {
			err = errors.Join(err, s.cfg.FS.RemoveAll(s.cfg.FS.PathJoin(s.cfg.Dir, name)))
		}
	}
	return err
}

// makeDir makes a folder and its parents, durably.
func makeDir(files vfs.FS, dir string) error {
	parent := files.PathDir(dir)
	if _, err := files.Stat(parent); errors.Is(err, fs.ErrNotExist) && parent != dir {
		if err := makeDir(files, parent); err != nil {
			return err
		}
	}
	if err := files.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return syncDir(files, parent)
}

func syncDir(files vfs.FS, dir string) error {
	f, err := files.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// writeFile puts a file in the place of another, atomically and durably.
func writeFile(files vfs.FS, dir, name string, content []byte) error {
	incomplete := files.PathJoin(dir, temporary+name)
	f, err := files.Create(incomplete, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := files.Rename(incomplete, files.PathJoin(dir, name)); err != nil {
		return err
	}
	return syncDir(files, dir)
}

func readFile(files vfs.FS, name string) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(f)
	return content, errors.Join(err, f.Close())
}
