// Command bench measures cronraft on this machine, with real servers as
// processes, and prints each number beside a reference that it measures in the
// same run: what a bare client loop, or a bare write and fsync, reaches here.
//
//	bench [-binary bin/cronraft] [flags] due|sustained|million|all
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
)

// settings are the flags.
type settings struct {
	binary  string
	due     int
	rate    int
	seconds int
	million int
	clients int
}

func main() {
	var s settings
	flag.StringVar(&s.binary, "binary", "bin/cronraft", "the cronraft to measure")
	flag.IntVar(&s.due, "due", 5000, "jobs that are due in one second")
	flag.IntVar(&s.rate, "rate", 3000, "one-second jobs that are sustained")
	flag.IntVar(&s.seconds, "seconds", 60, "for how long they are sustained")
	flag.IntVar(&s.million, "million", 1000000, "jobs that the lists are of")
	flag.IntVar(&s.clients, "clients", 64, "clients that create jobs at once")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(run(ctx, s, flag.Args()))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context, s settings, names []string) error {
	benches := map[string]func(context.Context, settings, string) error{
		"due": benchDue, "sustained": benchSustained, "million": benchMillion,
	}
	if len(names) == 0 || names[0] == "all" {
		names = []string{"due", "sustained", "million"}
	}
	for _, name := range names {
		bench, ok := benches[name]
		if !ok {
			return fmt.Errorf("no benchmark %q: there are due, sustained, million and all", name)
		}
		dir, err := os.MkdirTemp("", "cronraft-bench-")
		if err != nil {
			return err
		}
		err = bench(ctx, s, dir)
		if err != nil {
			return fmt.Errorf("%s (logs in %s): %w", name, filepath.Clean(dir), err)
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}
