package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
)

// heal undoes all that was done to the network.
func (s *stage) heal(ctx context.Context) error {
	var errs []error
	for i := range s.cluster.Len() {
		errs = append(errs, s.net.heal(ctx, i))
	}
	s.isCut = false
	return errors.Join(errs...)
}

// link is one direction between two nodes.
type link struct{ from, to int }

// both are the two directions between the node and each of the others.
func both(i int, others []int) []link {
	var links []link
	for _, k := range others {
		links = append(links, link{i, k}, link{k, i})
	}
	return links
}

// cut is what a partition consists of.
type cut struct {
	links []link
	// nodes are those that the fault is about.
	nodes []int
	// lonely, if not negative, cannot lead meanwhile: another node has to.
	lonely int
}

// cutFor cuts links for a while, which has to hit something.
func (s *stage) cutFor(ctx context.Context, d time.Duration, c cut) error {
	s.isCut = true
	fault := s.begin(checker.FaultPartition, c.nodes...)
	for _, l := range c.links {
		if err := s.net.deafen(ctx, l.to, l.from); err != nil {
			return err
		}
	}
	s.mark()
	if err := pause(ctx, d); err != nil {
		return err
	}
	if c.lonely >= 0 {
		if _, err := s.leader(ctx, c.lonely); err != nil {
			return err
		}
	}
	return s.healAfter(ctx, fault)
}

// healAfter ends a fault of the network, which must have hit something.
func (s *stage) healAfter(ctx context.Context, fault int) error {
	var dropped int
	for i := range s.cluster.Len() {
		n, err := s.net.dropped(ctx, i)
		if err != nil {
			return err
		}
		dropped += n
	}
	err := s.heal(ctx)
	s.end(fault)
	if dropped == 0 {
		return errors.Join(err, errors.New("the network was cut and not one packet was dropped"))
	}
	return err
}

// cutLimit is how long most partitions last.
const cutLimit = 20 * time.Second

// cutOff cuts a node off from all others in both directions.
func cutOff(short, full time.Duration) act {
	return func(ctx context.Context, s *stage, i int) error {
		return s.cutFor(ctx, s.span(short, full), cut{links: both(i, s.others(i)), nodes: []int{i}, lonely: i})
	}
}

// deaf lets a node be heard, and hear nobody.
func deaf(ctx context.Context, s *stage, i int) error {
	c := cut{nodes: []int{i}, lonely: i}
	for _, k := range s.others(i) {
		c.links = append(c.links, link{from: k, to: i})
	}
	return s.cutFor(ctx, cutLimit, c)
}

// mute lets a node hear everybody, and be heard by nobody.
func mute(ctx context.Context, s *stage, i int) error {
	c := cut{nodes: []int{i}, lonely: i}
	for _, k := range s.others(i) {
		c.links = append(c.links, link{from: i, to: k})
	}
	return s.cutFor(ctx, cutLimit, c)
}

// bridge cuts a node and one other from each other; the rest hears both.
func bridge(ctx context.Context, s *stage, i int) error {
	other := pick(s.rng, s.others(i))
	return s.cutFor(ctx, cutLimit, cut{links: both(i, []int{other}), nodes: []int{other}, lonely: -1})
}

// majorityRing lets each node hear only its two neighbours in a ring: each sees a
// majority, and no two see the same.
func majorityRing(ctx context.Context, s *stage) error {
	n := s.cluster.Len()
	c := cut{nodes: s.others(), lonely: -1}
	for i := range n {
		for _, k := range s.others(i, (i+1)%n, (i+n-1)%n) {
			c.links = append(c.links, link{from: k, to: i})
		}
	}
	return s.cutFor(ctx, cutLimit, c)
}

// loss makes all nodes lose a fifth of the packets of the others.
func loss(ctx context.Context, s *stage) error {
	s.mark()
	s.isCut = true
	fault := s.begin(checker.FaultPartition, s.others()...)
	for i := range s.cluster.Len() {
		if err := s.net.lose(ctx, i, 20); err != nil {
			return err
		}
	}
	if err := pause(ctx, cutLimit); err != nil {
		return err
	}
	return s.healAfter(ctx, fault)
}

// delayAll holds back whatever a node sends, to whomever.
func delayAll(ctx context.Context, s *stage) error {
	const by = 200 * time.Millisecond
	s.mark()
	s.isCut = true
	fault := s.begin(checker.FaultPartition, s.others()...)
	for i := range s.cluster.Len() {
		if err := s.net.delay(ctx, i, fmt.Sprintf("%dms", by.Milliseconds())); err != nil {
			return err
		}
	}
	began := time.Now()
	conn, err := net.Dial("tcp", s.cluster.Node(0).HTTP)
	if err != nil {
		return err
	}
	took := time.Since(began)
	if err := conn.Close(); err != nil {
		return err
	}
	if took < by*9/10 {
		return fmt.Errorf("connecting took %v in spite of the delay of %v", took, by)
	}
	if err := pause(ctx, cutLimit); err != nil {
		return err
	}
	err = s.heal(ctx)
	s.end(fault)
	return err
}
