package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cronraft/cronraft/internal/localcluster"
)

const (
	startLimit = 60 * time.Second
	// warmUp is how long jobs fire before something is done, coolDown after it was
	// undone.
	warmUp   = 2 * time.Second
	coolDown = 3 * time.Second
	// cleanUpLimit bounds what is done after the last scenario, or after Ctrl-C.
	cleanUpLimit = 30 * time.Second
)

// suite runs scenarios one after the other, on one cluster as far as it suits them.
type suite struct {
	settings settings
	machine  *machine
	target   *target
	place    string // folder of the servers' data
	screen   io.Writer

	cluster *localcluster.Cluster // nil if none runs
	nodes   int                   // of the cluster
	flags   []string
	started int // clusters so far
	// unknown are the jobs of which nobody knows whether they were created.
	unknown map[string]bool
}

// run runs the scenarios and returns their results, as far as it got.
func (s *suite) run(ctx context.Context, all []scenario) ([]*result, error) {
	var results []*result
	fmt.Fprintf(s.screen, "%s; seed %d\n\n", s.machine, s.settings.seed)
	widths := s.widths(all)
	fmt.Fprintln(s.screen, heading.line(widths))
	for _, sc := range all {
		r := &result{scenario: sc, leftOut: s.machine.leftOut(sc)}
		if r.leftOut == "" {
			if err := s.runOne(ctx, sc, r); err != nil {
				return results, fmt.Errorf("%s: %w", sc.name, err)
			}
		}
		results = append(results, r)
		fmt.Fprintln(s.screen, r.cells().line(widths))
	}
	return results, nil
}

// widths are those of rows that are printed before all are known.
func (s *suite) widths(all []scenario) []int {
	rows := []cells{heading}
	for _, sc := range all {
		rows = append(rows, cells{sc.title, "123456", "123456", "1234", "1234", "123 ms", "123 ms", "123 ms"})
	}
	return widthsOf(rows)
}

// provide makes sure that the cluster that a scenario needs is there.
func (s *suite) provide(ctx context.Context, sc scenario) error {
	nodes, flags := 3, []string{"--history-per-job", fmt.Sprint(keptHistory)}
	if sc.nodes != 0 {
		nodes = sc.nodes
	}
	if sc.isDefault {
		flags = nil
	}
	if s.cluster != nil && s.nodes == nodes && slices.Equal(s.flags, flags) {
		return nil
	}
	s.closeCluster()
	s.started++
	dir := filepath.Join(s.place, fmt.Sprintf("cluster%d", s.started))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	cfg := localcluster.Config{Binary: s.settings.binary, Dir: dir, Nodes: nodes, Flags: flags}
	if n := s.machine.net; n != nil {
		cfg.Hosts, cfg.Wrap = n.hosts(), n.wrap
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	c, err := localcluster.Start(ctx, cfg)
	s.cluster, s.nodes, s.flags = c, nodes, flags
	if err != nil && c != nil {
		err = fmt.Errorf("%w\n%s", err, c.Logs())
	}
	return err
}

func (s *suite) closeCluster() {
	if s.cluster != nil {
		s.cluster.Close()
		s.cluster = nil
	}
}

// close ends what the suite started and removes what it made, but for the results.
func (s *suite) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpLimit)
	defer cancel()
	s.closeCluster()
	var errs []error
	if s.target != nil {
		errs = append(errs, s.target.close())
	}
	if s.machine != nil && s.machine.net != nil {
		errs = append(errs, s.machine.net.close(ctx))
	}
	_ = os.Remove(s.settings.out) // it stays if there is anything in it
	return errors.Join(append(errs, removePlace(ctx, s.place))...)
}
