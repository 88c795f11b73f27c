package transport

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestCalls_WhatIsUnsentIsForgotten gives up a connection while its peer reads nothing,
// as if the link was cut. What the peer had not taken by then it never gets.
func TestCalls_WhatIsUnsentIsForgotten(t *testing.T) {
	t.Parallel()
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	port, far := NewPort(t.Context(), PortConfig{Listener: listen()}), listen()
	defer port.Close()
	defer far.Close()
	c, err := port.Calls().DialContext(t.Context(), far.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	peer, err := far.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	if err := c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	sent := 0
	for err == nil { // until both ends' buffers are full
		var n int
		n, err = c.Write(make([]byte, 16<<10))
		sent += n
	}
	c.Close()
	if err := peer.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if got, err := io.Copy(io.Discard, peer); err == nil || got >= int64(sent) {
		t.Errorf("the peer got %d of %d bytes, and then %v", got, sent, err)
	}
}
