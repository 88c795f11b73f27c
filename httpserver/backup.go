package httpserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/cronraft/cronraft/internal/job"
)

const (
	// maxBackups is how many backups a node sends at once: each holds disk, and takes
	// what bandwidth there is.
	maxBackups = 2
	// backupChunk is how much of a backup a reader has to take within writeTimeout.
	backupChunk = 64 << 10

	contentBackup     = "application/octet-stream"
	headerDisposition = "Content-Disposition"
	// backupTime is the time in a backup's name, in UTC.
	backupTime = "20060102T150405Z"
)

var (
	errUnconfirmedBackup = job.Errorf(job.CodeNoLeader, "no leader confirms that what this node has is up to date: try again in a second, or take it as it is with ?consistency=stale")
	errTooManyBackups    = job.Errorf(job.CodeRateLimited, "%d backups are under way at this node, which is all that it sends at once: ask another node, or wait", maxBackups)
)

// getBackup is GET /cluster/backup: this node's state at a read point, or later, or as
// it is with ?consistency=stale. HEAD makes no backup, and so cannot tell of one.
func (s *Server) getBackup(ctx context.Context, c *call) (*response, error) {
	err := s.read(ctx, parseQuery(c.query, []string{paramConsistency}))
	if errors.Is(err, errNoReadPoint) {
		return nil, errUnconfirmedBackup
	}
	if err != nil {
		return nil, err
	}
	res := &response{status: http.StatusOK, contentType: contentBackup}
	if c.method == http.MethodHead {
		return res, nil
	}
	b, err := s.beginBackup(ctx)
	if err != nil {
		return nil, err
	}
	s.logger.Info("a backup begins", "request", c.id, "key", c.key.ID, "index", b.from.Index, "bytes", b.from.Size)
	res.stream, res.size, res.drop = b.run, b.from.Size, b.end
	name := fmt.Sprintf("cronraft-%s-%d-%s.backup", b.from.ClusterID, b.from.Index, b.from.At.UTC().Format(backupTime))
	return res.with(headerDisposition, fmt.Sprintf("attachment; filename=%q", name)).
		with(headerAppliedIndex, strconv.FormatUint(b.from.Index, 10)), nil
}

// beginBackup takes one of the places for backups, and makes one.
func (s *Server) beginBackup(ctx context.Context) (*outgoingBackup, error) {
	select {
	case s.backups <- struct{}{}:
	default:
		s.config.Metrics.limited.WithLabelValues(limitedBackups).Inc()
		return nil, &tooSoon{cause: errTooManyBackups, wait: keyCheck}
	}
	b := &outgoingBackup{places: s.backups}
	defer func() {
		if b.from.ReadCloser == nil { // an error, or a panic
			<-s.backups
		}
	}()
	from, err := s.config.Backups.Backup(ctx)
	if err != nil {
		return nil, err
	}
	b.from = from
	return b, nil
}

// outgoingBackup is a backup on its way to its reader. Either run or end is called, once.
type outgoingBackup struct {
	from   Backup
	places chan struct{}
}

// run is a [stream]. A backup that ends with ctx is not whole, which is an error.
func (b *outgoingBackup) run(ctx context.Context, w io.Writer) (err error) {
	defer func() { err = errors.Join(err, b.end()) }()
	chunk := make([]byte, backupChunk)
	for left := b.from.Size; left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(b.from, chunk[:min(left, backupChunk)])
		if err != nil {
			return fmt.Errorf("read a backup with %d bytes to go: %w", left, err)
		}
		if _, err := w.Write(chunk[:n]); err != nil {
			return err
		}
		left -= int64(n)
	}
	return nil
}

// end frees what the backup holds.
func (b *outgoingBackup) end() error {
	defer func() { <-b.places }()
	return b.from.Close()
}
