package node

import (
	"context"
	"io"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// errNoRoomForBackup: a backup needs some room, and more of it the longer it takes.
var errNoRoomForBackup = job.Errorf(job.CodeDiskFull, "the disk of this node is nearly full, and a backup needs some room on it: ask another node, or make room")

// Backup is a copy of the whole state on its way out.
type Backup struct {
	// ReadCloser has the archive, which is that of [fsm.Backup]: reading fails rather
	// than end early.
	io.ReadCloser
	ClusterID string
	// Index is the last entry of the log that the state has.
	Index uint64
	// At is when the copy was made.
	At time.Time
	// Size is exactly how many bytes there are to read.
	Size int64
}

// Backup begins a copy of this node's state as it is, which needs no leader and holds
// up nothing. The caller closes it. CodeDiskFull if there is no room for one; if there
// is none any more while it is read, reading fails.
func (n *Node) Backup(context.Context) (*Backup, error) {
	if n.disk.isLow() {
		return nil, errNoRoomForBackup
	}
	at := n.instant()
	b, err := n.store.Backup()
	if err != nil {
		return nil, err
	}
	return &Backup{ReadCloser: sparing{ReadCloser: b, disk: n.disk}, ClusterID: b.ClusterID, Index: b.Index, At: at, Size: b.Size}, nil
}

// sparing is a backup that ends before it fills the disk: what the store replaces
// meanwhile stays there until the backup is closed.
type sparing struct {
	io.ReadCloser
	disk *disk
}

func (s sparing) Read(p []byte) (int, error) {
	if s.disk.isLow() {
		return 0, errNoRoomForBackup
	}
	return s.ReadCloser.Read(p)
}
