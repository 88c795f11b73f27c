package httpserver

import (
	"errors"
	"net"
	"sync"
)

// listeners are those that a server serves. fasthttp closes only the ones whose
// Serve has come far enough; this closes all of them.
type listeners struct {
	// mu guards all fields.
	mu     sync.Mutex
	closed bool
	open   []net.Listener
}

// add returns ln in a form that may be closed twice; false if it came after close.
func (l *listeners) add(ln net.Listener) (net.Listener, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ln = &closeOnce{Listener: ln}
	if !l.closed {
		l.open = append(l.open, ln)
	}
	return ln, !l.closed
}

func (l *listeners) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// close closes every listener, and whatever comes later is not served.
func (l *listeners) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	var errs []error
	for _, ln := range l.open {
		errs = append(errs, ln.Close())
	}
	l.open = nil
	return errors.Join(errs...)
}

// closeOnce is a listener that two parts may close.
type closeOnce struct {
	net.Listener
	once sync.Once
	err  error
}

func (l *closeOnce) Close() error {
	l.once.Do(func() { l.err = l.Listener.Close() })
	return l.err
}
