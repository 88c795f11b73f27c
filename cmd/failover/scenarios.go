package main

import (
	"context"
	"time"
)

// play does to the cluster what a scenario is about, and undoes it again. Its
// error says that something did not happen as it has to: also that a fault had no
// effect.
type play func(ctx context.Context, s *stage) error

// act does something to one node, and undoes it again.
type act func(ctx context.Context, s *stage, node int) error

func toLeader(a act) play {
	return func(ctx context.Context, s *stage) error {
		leader, err := s.leader(ctx)
		if err != nil {
			return err
		}
		return a(ctx, s, leader)
	}
}

func toFollower(a act) play {
	return func(ctx context.Context, s *stage) error {
		follower, err := s.follower(ctx)
		if err != nil {
			return err
		}
		return a(ctx, s, follower)
	}
}

// need is something that not every machine has.
type need string

const (
	needNetwork need = "network"
	needDelay   need = "delay"
	needMount   need = "mount"
	needTrace   need = "trace"
)

// scenario is one row of the table.
type scenario struct {
	name  string // for --only
	title string // for people
	play  play
	// before prepares the cluster while no client is there yet; undo comes after
	// the last one.
	before func(ctx context.Context, s *stage) (undo func(context.Context) error, err error)
	needs  []need
	nodes  int // 0: three
	load   load
	// isShort: it is also part of the short form.
	isShort bool
	// isApart: it is run only if it is named.
	isApart bool
	// isSmooth: no slot may be missing, and no request doubled, for whatever
	// reason.
	isSmooth bool
	// latest and resumes are limits of --strict: of how late a slot may be, and of the
	// median time until the first callback. Zero: none.
	latest, resumes time.Duration
	// isDefault: the servers are started with default flags, and then keep less
	// history.
	isDefault bool
}

// scenarios are all of them, in the order in which they are run. A fault that
// needs something of the binary or the machine names it in needs; the row then says
// why it was left out.
var scenarios = []scenario{
	{name: "none", title: "none", play: nothing, isShort: true, isSmooth: true},
	{name: "kill-leader", title: "kill -9 the leader", play: toLeader(killFor(8*time.Second, 15*time.Second)), isShort: true},
	{name: "kill-follower", title: "kill -9 a follower", play: toFollower(killFor(8*time.Second, 15*time.Second))},
	{name: "flapping-leaders", title: "kill -9 whoever leads, every 5 s", play: flappingLeaders},
	{name: "transfer", title: "transfer leadership every 3 s", play: transferLeadership, isSmooth: true},
	{name: "kill-majority", title: "kill -9 two of three", play: killMajority},
	{name: "kill-all", title: "kill -9 all", play: killAll},
	{name: "pause-leader", title: "SIGSTOP the leader 15 s", play: toLeader(pauseFor(15 * time.Second)), isShort: true},
	{name: "pause-leader-shortly", title: "SIGSTOP the leader 3 s", play: toLeader(pauseFor(3 * time.Second))},
	{name: "pause-follower", title: "SIGSTOP a follower 15 s", play: toFollower(pauseFor(15 * time.Second))},
	{name: "rolling-restart", title: "SIGTERM each in turn", play: rollingRestart, load: load{brief: true}, isShort: true, isSmooth: true, latest: time.Second},
	{name: "rolling-restart-long", title: "SIGTERM each in turn, targets hold requests for 20 s", play: rollingRestart, isSmooth: true},
	{name: "partition-leader", title: "cut the leader off", play: toLeader(cutOff(cutLimit, time.Minute)), needs: []need{needNetwork}, isShort: true},
	{name: "partition-follower", title: "cut a follower off", play: toFollower(cutOff(cutLimit, cutLimit)), needs: []need{needNetwork}},
	{name: "deaf-leader", title: "the leader hears nobody", play: toLeader(deaf), needs: []need{needNetwork}},
	{name: "mute-leader", title: "nobody hears the leader", play: toLeader(mute), needs: []need{needNetwork}},
	{name: "bridge", title: "leader and a follower hear only the third", play: toLeader(bridge), needs: []need{needNetwork}},
	{name: "loss", title: "20 % of packets lost", play: loss, needs: []need{needNetwork}},
	{name: "delay", title: "200 ms delay", play: delayAll, needs: []need{needNetwork, needDelay}},
	{name: "disk-full", title: "a follower's disk is full", play: diskFull, before: moveToSmallDisk, needs: []need{needMount}, isShort: true},
	{name: "fsync-error", title: "the leader's fsync fails", play: toLeader(fsyncError), needs: []need{needTrace}, isShort: true},
	{name: "slow-disk", title: "the leader's fsync takes 0.1 s more", play: toLeader(slowDisk(100 * time.Millisecond)), needs: []need{needTrace}},
	{name: "hanging-disk", title: "the leader's fsync takes 10 s more", play: toLeader(slowDisk(10 * time.Second)), needs: []need{needTrace}},
	{name: "crawling-disk", title: "the leader's fsync takes 0.5 s more", play: toLeader(slowDisk(500 * time.Millisecond)), needs: []need{needTrace}},
	{name: "majority-ring", title: "five nodes, each hears its two neighbours", play: majorityRing, needs: []need{needNetwork}, nodes: maxNodes},
	{name: "first-callback", title: "kill -9 the leader ten times, 200 one-second jobs", play: firstCallback, load: load{plain: true}, isApart: true, isDefault: true, resumes: 2 * time.Second},
}
