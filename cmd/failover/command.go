package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// commandLimit bounds every command that the suite runs; none has much to do.
const commandLimit = 20 * time.Second

// command runs a program and returns what it printed.
func command(ctx context.Context, input string, line ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	if input != "" {
		cmd.Stdin = strings.NewReader(input)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(line, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

// ip runs commands of ip(8), one a line; the first that fails ends it.
func ip(ctx context.Context, lines ...string) error {
	for _, line := range lines {
		if _, err := command(ctx, "", append([]string{"ip"}, strings.Fields(line)...)...); err != nil {
			return err
		}
	}
	return nil
}

// missing tells which of the programs is not installed; empty if all are.
func missing(programs ...string) string {
	var absent []string
	for _, p := range programs {
		if _, err := exec.LookPath(p); errors.Is(err, exec.ErrNotFound) {
			absent = append(absent, p)
		}
	}
	return strings.Join(absent, ", ")
}
