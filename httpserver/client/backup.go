package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sync/atomic"
	"time"
)

// Backup is all that a cluster knows, on its way from a server. Handle it as a secret:
// what is in it besides API keys and the values of headers can be read by everybody.
type Backup struct {
	// Name is what the server calls the file: it has the cluster's ID, the index and the
	// time.
	Name string
	// Size is how many bytes there are to read.
	Size int64
	// Meta tells which node sends it, and of which index it is.
	Meta Meta

	call *call
	body io.ReadCloser
	left int64
	// alive closes the body, which ends a Read with an error, when the server has sent
	// nothing for as long as silence; silent tells then.
	alive   *time.Timer
	silence time.Duration
	silent  atomic.Bool
}

// OpenBackup begins a backup of the cluster as it is now, of the server that is asked:
// only the root key may. The caller reads it to its end, which is checked, and closes it.
//
// What was begun is not begun again: if the server fails meanwhile reading fails, and
// what was read is no backup. Options: [Stale], for a backup of what the server has,
// without a leader; [WithMeta].
func (c *Client) OpenBackup(ctx context.Context, opts ...Option) (*Backup, error) {
	q := newCall(http.MethodGet, pathCluster, "backup")
	q.header.Set("Accept", mediaBinary)
	q.header.Set("Accept-Encoding", "identity") // the length is to be that of the backup
	q.with(c, takesStale, opts)
	b := &Backup{call: q, silence: c.silence}
	given := q.meta
	q.meta = &b.Meta
	body, err := c.open(ctx, q)
	if err != nil {
		return nil, err
	}
	if given != nil {
		*given = b.Meta
	}
	b.body, b.Size, b.left = body, q.size, q.size
	b.alive = time.AfterFunc(b.silence, b.giveUp)
	b.alive.Stop() // until somebody reads
	_, params, _ := mime.ParseMediaType(q.disposition)
	b.Name = params["filename"]
	if q.media != mediaBinary || b.Size < 1 || b.Name == "" {
		return nil, errors.Join(b.fail("it is not sent as one: the type is %q, the length %d", q.media, b.Size), b.Close())
	}
	return b, nil
}

// Read returns io.EOF after the last byte only.
func (b *Backup) Read(p []byte) (int, error) {
	b.alive.Reset(b.silence)
	n, err := b.body.Read(p)
	b.alive.Stop()
	b.left -= int64(n)
	switch {
	case err == nil:
		return n, nil
	case b.left == 0 && errors.Is(err, io.EOF):
		return n, io.EOF
	}
	return n, b.broken(err)
}

// giveUp ends a backup whose server says nothing any more.
func (b *Backup) giveUp() {
	b.silent.Store(true)
	_ = b.body.Close()
}

// broken is the error of a backup that has an end and is not whole.
func (b *Backup) broken(err error) error {
	e := b.fail("it broke off with %d of %d bytes to go: what there is of it is no backup", b.left, b.Size)
	e.Code, e.Cause = CodeUnreachable, err
	if b.silent.Load() {
		e.Cause = errTimeout
	}
	return e
}

func (b *Backup) fail(format string, args ...any) *Error {
	return &Error{
		Code: CodeUnexpected, Detail: "the backup cannot be taken: " + fmt.Sprintf(format, args...),
		RequestID: b.Meta.RequestID, Server: b.call.from.base,
	}
}

// Close ends the backup, which the server then gives up if it was not read to its end.
func (b *Backup) Close() error {
	b.alive.Stop()
	return b.body.Close()
}

// Backup writes a backup of the cluster to w, and returns it for what is known of it. After
// an error what was written is no backup. It is [Client.OpenBackup] for who has a place
// for it already.
func (c *Client) Backup(ctx context.Context, w io.Writer, opts ...Option) (*Backup, error) {
	b, err := c.OpenBackup(ctx, opts...)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(w, b)
	if err = errors.Join(err, b.Close()); err != nil {
		return nil, fmt.Errorf("client: back up the cluster: %w", err)
	}
	return b, nil
}
