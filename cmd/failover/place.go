package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// runID begins the name of everything that the run of one process makes outside
// its folder: at most ten characters, because the names of interfaces are short.
func runID(pid int) string { return fmt.Sprintf("crf%d", pid) }

const placePrefix = "cronraft-failover-"

// placeOf is the folder of one run: the nodes' data.
func placeOf(pid int) string { return filepath.Join(os.TempDir(), placePrefix+strconv.Itoa(pid)) }

// ours finds the process in the names that a run gives.
var ours = regexp.MustCompile(`^(?:crf|` + placePrefix + `)(\d+)(?:hub|n\d|p)?$`)

// removeLeftovers removes what runs left that were killed: their servers, mounts,
// folders and networks.
func removeLeftovers(ctx context.Context) error {
	folders, err := filepath.Glob(filepath.Join(os.TempDir(), placePrefix+"*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, folder := range folders {
		if pid := deadOwner(filepath.Base(folder)); pid != 0 && isMine(folder) {
			errs = append(errs, killUsers(folder), removePlace(ctx, folder))
		}
	}
	if os.Geteuid() != 0 {
		return errors.Join(errs...) // only root has made networks
	}
	spaces, err := namespaces("crf")
	errs = append(errs, err)
	for _, pid := range deadOwners(spaces, interfaces()) {
		errs = append(errs, (&network{id: runID(pid)}).close(ctx))
	}
	return errors.Join(errs...)
}

// isMine reports whether this user made the folder: what others left is for them.
func isMine(folder string) bool {
	info, err := os.Stat(folder)
	if err != nil {
		return false
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(owner.Uid) == os.Geteuid()
}

func interfaces() []string {
	all, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var names []string
	for _, i := range all {
		names = append(names, i.Name)
	}
	return names
}

// deadOwners are the runs that made something of these names and do not live any
// more.
func deadOwners(lists ...[]string) []int {
	var pids []int
	for _, name := range slices.Concat(lists...) {
		if pid := deadOwner(name); pid != 0 && !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// deadOwner is the run that gave the name; zero if it is none, or lives.
func deadOwner(name string) int {
	found := ours.FindStringSubmatch(name)
	if found == nil {
		return 0
	}
	pid, err := strconv.Atoi(found[1])
	if err != nil || pid == os.Getpid() || programOf(pid) == programOf(os.Getpid()) {
		return 0
	}
	return pid
}

// programOf is the short name of a process's program; empty if there is no such
// process.
func programOf(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// killUsers ends the processes that were started with a file of the folder in
// their command line: a run's servers.
func killUsers(folder string) error {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range lines {
		line, err := os.ReadFile(file)
		pid, notPID := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil || notPID != nil || pid == os.Getpid() || !strings.Contains(string(line), folder+"/") {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// removePlace removes a run's folder with what is mounted in it.
func removePlace(ctx context.Context, folder string) error {
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return err
	}
	var errs []error
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == mountSource && strings.HasPrefix(fields[1], folder+"/") {
			_, err := command(ctx, "", "umount", "-l", fields[1])
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, os.RemoveAll(folder))...)
}
