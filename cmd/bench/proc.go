package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/cronraft/cronraft/internal/localcluster"
)

// clockTick is the unit of CPU times in /proc: USER_HZ, 100 on every Linux
// architecture that Go supports.
const clockTick = 10 * time.Millisecond

// cpuTime is what all servers together have used.
func cpuTime(c *localcluster.Cluster) (time.Duration, error) {
	var total time.Duration
	for i := range c.Len() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.PID(i)))
		if err != nil {
			return 0, err
		}
		// The fields after the command, which may contain blanks: state is the first.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		for _, field := range fields[11:13] {
			ticks, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("/proc stat: %w", err)
			}
			total += time.Duration(ticks) * clockTick
		}
	}
	return total, nil
}

// memory is a process's resident memory in MiB: all of it, and the part that is
// not backed by files.
func memory(pid int) (all, anonymous int, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kb int
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kb); n == 1 {
			all = kb >> 10
		}
		if n, _ := fmt.Sscanf(line, "RssAnon: %d kB", &kb); n == 1 {
			anonymous = kb >> 10
		}
	}
	return all, anonymous, nil
}
