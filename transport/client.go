package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
	"google.golang.org/protobuf/proto"

	"github.com/cronraft/cronraft/internal/group"
	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/transport/peerpb"
)

const (
	defaultMaxConns = 512
	defaultIdle     = 30 * time.Second

	// chunk is how many bytes of assignments or outcomes go into one request.
	chunk = MaxRequest / 2
)

// ClientConfig is what a [Client] needs.
type ClientConfig struct {
	// Dial opens a connection for peer calls: DialContext of [Port.Calls].
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// MaxConnsPerPeer is how many calls to one address may be under way; default
	// 512. Further ones wait.
	MaxConnsPerPeer int
	// IdleTimeout is how long a connection is kept without a call; default 30 s.
	IdleTimeout time.Duration
}

// Client makes peer calls. Its methods mirror [Handler], with the address of the
// peer port to call. Each ends with its ctx, and within 5 s if that has no
// deadline. A *job.Error of the other node's handler is found in the error with
// errors.As and errors.Is, and [ErrNotDelivered] if no handler was reached.
//
// All calls but Forward may be repeated without harm, and are, once, when their
// connection breaks.
type Client struct{ pool *pool }

// NewClient makes a client. The caller must call Close; the end of ctx alone
// closes nothing.
func NewClient(ctx context.Context, c ClientConfig) *Client {
	if c.MaxConnsPerPeer <= 0 {
		c.MaxConnsPerPeer = defaultMaxConns
	}
	if c.IdleTimeout <= 0 {
		c.IdleTimeout = defaultIdle
	}
	return &Client{pool: &pool{
		dial:  c.Dial,
		limit: c.MaxConnsPerPeer,
		idle:  c.IdleTimeout,
		group: group.New(ctx),
		peers: map[string]*peer{},
		open:  map[*conn]struct{}{},
	}}
}

// Close ends the calls under way, closes all connections, and returns when the
// client's goroutines have ended. Later calls fail.
func (c *Client) Close() error { return c.pool.close() }

// Assign hands a leader's batch to a node. A batch too large for one request goes
// in several, each with a part of the assignments; the reply is the last one's, and
// says Refused if any was.
func (c *Client) Assign(ctx context.Context, addr string, b job.Batch) (job.BatchReply, error) {
	whole := batchToWire(b)
	assignments := split(whole.Assignments)
	var reply peerpb.BatchReply
	refused := false
	for i, part := range assignments {
		whole.Assignments = part
		if err := c.exchange(ctx, addr, callAssign, whole, &reply); err != nil {
			return job.BatchReply{}, partly(err, i)
		}
		refused = refused || reply.GetRefused()
		whole.Aborts = nil // they went with the first
	}
	reply.Refused = refused
	return batchReplyFromWire(&reply), nil
}

// partly is the error of a request after which n others of the same call have been
// answered: the call as a whole was delivered.
func partly(err error, n int) error {
	var failed *callError
	if n > 0 && errors.As(err, &failed) {
		failed.delivered = true
	}
	return err
}

// Report hands outcomes to the leader; nil says that all of them are committed.
// An error leaves open whether some of them are.
func (c *Client) Report(ctx context.Context, addr string, outcomes []job.Outcome) error {
	for i, part := range split(convert(outcomes, outcomeToWire)) {
		if err := c.exchange(ctx, addr, callReport, &peerpb.Outcomes{Outcomes: part}, nil); err != nil {
			return partly(err, i)
		}
	}
	return nil
}

// ReadIndex asks the leader for the index that a linearizable read waits for.
func (c *Client) ReadIndex(ctx context.Context, addr string) (uint64, error) {
	var reply peerpb.ReadIndexReply
	err := c.exchange(ctx, addr, callReadIndex, nil, &reply)
	return reply.GetIndex(), err
}

// Hello introduces this node to another.
func (c *Client) Hello(ctx context.Context, addr string, g Greeting) (Greeting, error) {
	var reply peerpb.Greeting
	if err := c.exchange(ctx, addr, callHello, greetingToWire(g), &reply); err != nil {
		return Greeting{}, err
	}
	return greetingFromWire(&reply), nil
}

// Forward passes a user's request to the leader and returns its answer. It sends
// it once at most: job.ErrNotLeader says that the request has had no effect and
// may be sent elsewhere, job.ErrOutcomeUnknown that it may have one.
func (c *Client) Forward(ctx context.Context, addr string, request []byte) ([]byte, error) {
	response, err := c.call(ctx, request, attempt{addr: addr, call: callForward})
	var refusal *job.Error
	switch {
	case err == nil:
		return response, nil
	case errors.As(err, &refusal):
		return nil, err
	case errors.Is(err, ErrNotDelivered):
		return nil, fmt.Errorf("%w: %w", job.ErrNotLeader, err)
	default:
		return nil, fmt.Errorf("%w: %w", job.ErrOutcomeUnknown, err)
	}
}

// exchange makes a call that may be repeated; nil messages are empty ones.
func (c *Client) exchange(ctx context.Context, addr, call string, request, reply proto.Message) error {
	body, err := proto.Marshal(request)
	if err != nil {
		return &callError{call: call, addr: addr, err: fmt.Errorf("encode the request: %w", err)}
	}
	answer, err := c.call(ctx, body, attempt{addr: addr, call: call, repeatable: true})
	if err != nil || reply == nil {
		return err
	}
	if err := proto.Unmarshal(answer, reply); err != nil {
		return &callError{call: call, addr: addr, delivered: true, err: fmt.Errorf("decode the answer: %w", err)}
	}
	return nil
}

// attempt says what is called where.
type attempt struct {
	addr       string
	call       string
	repeatable bool
	fresh      bool // on a new connection
}

// call makes a call and copies the answer's body. The error is a *callError.
func (c *Client) call(ctx context.Context, body []byte, a attempt) ([]byte, error) {
	if len(body) > MaxRequest {
		return nil, &callError{call: a.call, addr: a.addr, err: job.Errorf(job.CodePayloadTooLarge,
			"the request has %d bytes, more than the %d that nodes pass on", len(body), MaxRequest)}
	}
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, defaultTimeout)
		defer cancel()
	}
	request, answer := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(request)
	defer fasthttp.ReleaseResponse(answer)
	request.Header.SetMethod(fasthttp.MethodPost)
	request.Header.SetHost(a.addr)
	request.SetRequestURI(a.call)
	request.SetBodyRaw(body)

	sent, err := c.send(ctx, request, answer, a)
	if err == nil {
		err = refusal(answer)
	}
	if err != nil {
		return nil, &callError{call: a.call, addr: a.addr, delivered: sent, err: err}
	}
	return append([]byte(nil), answer.Body()...), nil
}

// send makes one round trip, or two. If it fails, sent reports whether one of them
// may have reached the peer.
func (c *Client) send(ctx context.Context, request *fasthttp.Request, answer *fasthttp.Response, a attempt) (sent bool, err error) {
	conn, err := c.pool.acquire(ctx, a.addr, a.fresh)
	if err != nil {
		return false, err
	}
	setTimeout(ctx, request)
	reusable, sent, err := conn.roundTrip(ctx, request, answer)
	c.pool.release(conn, reusable)
	if err == nil || !a.repeatable || a.fresh || ctx.Err() != nil {
		return sent, err
	}
	a.fresh = true
	again, err := c.send(ctx, request, answer, a)
	return sent || again, err
}

// setTimeout tells the other node how long its answer is waited for.
func setTimeout(ctx context.Context, request *fasthttp.Request) {
	deadline, _ := ctx.Deadline()
	request.Header.Set(headerTimeout, strconv.FormatInt(time.Until(deadline).Milliseconds(), 10))
}

// refusal is the error in an answer.
func refusal(answer *fasthttp.Response) error {
	switch answer.StatusCode() {
	case fasthttp.StatusOK:
		return nil
	case statusRefused:
		var p peerpb.Error
		if err := proto.Unmarshal(answer.Body(), &p); err != nil {
			return fmt.Errorf("decode a refusal: %w", err)
		}
		return errorFromWire(&p)
	default:
		return fmt.Errorf("answered with status %d: %.100q", answer.StatusCode(), answer.Body())
	}
}

// split cuts items into parts that fit a request; one empty part if there are
// none.
func split[M proto.Message](items []M) [][]M {
	var parts [][]M
	size, from := 0, 0
	for i, item := range items {
		n := proto.Size(item)
		if size+n > chunk && i > from {
			parts = append(parts, items[from:i])
			size, from = 0, i
		}
		size += n
	}
	return append(parts, items[from:])
}
