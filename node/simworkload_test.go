//go:build !race

package node_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// pause is the time between two events of a run: the first for a day, the second
// for a month, which has to fit into memory.
func (r simRun) pause(day, month time.Duration) time.Duration {
	if r.days < 7 {
		return day
	}
	return month
}

// scale stretches the intervals of jobs in the same way.
func (r simRun) scale() int {
	if r.days < 7 {
		return 1
	}
	return 5
}

// soon is how long it takes until the next of many things that happen once in so long
// a time, by chance. Every other one happens just when slots are due: that is when
// there is something to break.
func soon(chance *rand.Rand, mean time.Duration) time.Duration {
	wait := time.Duration(chance.ExpFloat64() * float64(mean))
	if chance.IntN(2) == 0 {
		wait = time.Until(time.Now().Add(wait).Truncate(simBeat).Add(simBeat))
	}
	return wait
}

// simBeat divides most moments at which slots are due.
const simBeat = 30 * time.Second

// client is the one of that number, which has no job yet.
func (c *simCluster) client(run simRun, number int) *simClient {
	chance := run.chance(uint64(number))
	return &simClient{
		c: c, name: fmt.Sprintf("client%d", number), chance: chance,
		// Together the clients have a job of each combination of policies.
		draw: &simJobs{chance: chance, scale: run.scale(), drawn: policyCount / 3 * number},
		most: policyCount / 2,
	}
}

// busy lets clients write, each once in a pause, and a reader read, until the
// function is called that it returns.
func (c *simCluster) busy(run simRun, clients int, pause time.Duration) (quiet func()) {
	stop := make(chan struct{})
	var work sync.WaitGroup
	for i := range clients {
		k := c.client(run, i)
		k.pause = pause
		for range k.most {
			k.create()
		}
		work.Go(func() { k.run(stop) })
	}
	r := &simReader{c: c, chance: run.chance(100), pause: pause}
	work.Go(func() { r.run(stop) })
	c.extras.begin(run)
	work.Go(func() { c.extras.run(stop, pause) })
	return func() {
		close(stop)
		work.Wait()
	}
}

// settle mends everything, waits until what is due is over, and asks for the
// verdict.
func (c *simCluster) settle(run simRun) {
	c.t.Helper()
	c.links.heal()
	c.links.hurry()
	if !c.untilWhole() {
		return
	}
	settled := time.Now()
	c.extras.settled()
	// The longest that anything takes: requests of five minutes, retries, and a
	// catch-up of half an hour of slots, one after the other.
	time.Sleep(time.Hour)
	c.verdict(run, settled)
	c.extras.check()
}
