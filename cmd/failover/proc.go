package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// threadStatus are the values of a field of /proc/PID/task/*/status, one for each
// thread.
func threadStatus(pid int, field string) ([]string, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil {
		return nil, err
	}
	var values []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		for line := range strings.Lines(string(text)) {
			if value, ok := strings.CutPrefix(line, field); ok {
				values = append(values, strings.TrimSpace(value))
			}
		}
	}
	return values, nil
}

// stopped reports whether SIGSTOP has taken hold of all threads of a process.
func stopped(pid int) bool {
	states, err := threadStatus(pid, "State:")
	if err != nil || len(states) == 0 {
		return false
	}
	for _, s := range states {
		if !strings.HasPrefix(s, "T") {
			return false
		}
	}
	return true
}
