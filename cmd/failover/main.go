package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// settings are the flags.
type settings struct {
	short, full bool
	seed        uint64
	binary      string
	out         string
	only        string
	namespaces  string
	recheck     string
	markdown    string
	keep        bool
	strict      bool
}

func main() {
	var s settings
	flag.BoolVar(&s.short, "short", false, "only the scenarios that matter most, in under four minutes")
	flag.BoolVar(&s.full, "full", false, "all scenarios (the default)")
	flag.Uint64Var(&s.seed, "seed", 1, "what the clients draw from; it repeats what they plan, not when it happens")
	flag.StringVar(&s.binary, "binary", "bin/cronraft", "the cronraft to try")
	flag.StringVar(&s.out, "out", "", "folder for the histories and logs of failing scenarios (default: one in the temporary folder)")
	flag.StringVar(&s.only, "only", "", "names of scenarios, with commas")
	flag.StringVar(&s.namespaces, "namespaces", auto, "a network namespace for each node: auto, on or off")
	flag.StringVar(&s.recheck, "recheck", "", "check a history again from its file, and do nothing else")
	flag.StringVar(&s.markdown, "markdown", "", "file that gets the table")
	flag.BoolVar(&s.keep, "keep", false, "keep the histories of passing scenarios too")
	flag.BoolVar(&s.strict, "strict", false, "hold measured times to their limits too, which a busy machine may break")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "failover: %q belongs to no flag\n", flag.Args())
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "failover:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	if s.recheck != "" {
		return recheck(os.Stdout, s)
	}
	chosen, err := s.choose()
	if err != nil {
		return err
	}
	if err := s.complete(); err != nil {
		return err
	}
	if err := removeLeftovers(ctx); err != nil {
		return fmt.Errorf("remove what an earlier run left: %w", err)
	}
	results, err := s.perform(ctx, chosen)
	return errors.Join(err, report(os.Stdout, s, results))
}

// complete fills in what was not given.
func (s *settings) complete() error {
	if s.namespaces != auto && s.namespaces != on && s.namespaces != off {
		return fmt.Errorf("--namespaces is auto, on or off, not %q", s.namespaces)
	}
	if _, err := os.Stat(s.binary); err != nil {
		return fmt.Errorf("there is no cronraft to try, run make build: %w", err)
	}
	if s.out == "" {
		s.out = filepath.Join(os.TempDir(), fmt.Sprintf("cronraft-results-%d", os.Getpid()))
	}
	var err error
	s.binary, err = filepath.Abs(s.binary)
	return err
}

// perform runs the scenarios and cleans up.
func (s settings) perform(ctx context.Context, chosen []scenario) (results []*result, err error) {
	u := &suite{settings: s, place: placeOf(os.Getpid()), screen: os.Stdout, unknown: map[string]bool{}}
	defer func() { err = errors.Join(err, u.close(ctx)) }()
	if err := errors.Join(os.MkdirAll(u.place, 0o700), os.MkdirAll(s.out, 0o755)); err != nil {
		return nil, err
	}
	if u.machine, err = inspect(ctx, s.namespaces); err != nil {
		return nil, err
	}
	self, nodeOf := u.machine.addresses()
	if u.target, err = startTarget(context.WithoutCancel(ctx), self, nodeOf); err != nil {
		return nil, err
	}
	return u.run(ctx, chosen)
}
