package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// smallDisk is a file system in memory, mounted over a folder whose content was
// moved onto it.
type smallDisk struct {
	dir  string // where it is mounted
	kept string // where the folder itself is meanwhile
}

const smallDiskSize = 256 << 20

// mountSmallDisk puts the folder on a disk of [smallDiskSize]. Nothing may use it
// meanwhile.
func mountSmallDisk(ctx context.Context, dir string) (*smallDisk, error) {
	d := &smallDisk{dir: dir, kept: dir + ".kept"}
	if err := errors.Join(os.Rename(dir, d.kept), os.Mkdir(dir, 0o700)); err != nil {
		return nil, err
	}
	size := fmt.Sprintf("size=%d,mode=0700", smallDiskSize)
	if _, err := command(ctx, "", "mount", "-t", "tmpfs", "-o", size, mountSource, dir); err != nil {
		return nil, errors.Join(err, os.Remove(dir), os.Rename(d.kept, dir))
	}
	return d, os.CopyFS(dir, os.DirFS(d.kept))
}

// mountSource marks the suite's mounts in /proc/mounts.
const mountSource = "cronraft-failover"

func (d *smallDisk) ballast() string { return filepath.Join(d.dir, "ballast") }

// fill leaves not a byte free.
func (d *smallDisk) fill() error {
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for {
		n, err := f.Write(block)
		switch {
		case errors.Is(err, syscall.ENOSPC) && n == 0 && len(block) == 1:
			return nil
		case errors.Is(err, syscall.ENOSPC):
			block = block[:max(1, len(block)/16)]
		case err != nil:
			return err
		}
	}
}

// free undoes fill.
func (d *smallDisk) free() error { return os.Remove(d.ballast()) }

// unmount brings the folder back as it is now on the small disk. Nothing may use
// it meanwhile.
func (d *smallDisk) unmount(ctx context.Context) error {
	fresh := d.dir + ".fresh"
	if err := errors.Join(os.Mkdir(fresh, 0o700), os.CopyFS(fresh, os.DirFS(d.dir))); err != nil {
		return err
	}
	if _, err := command(ctx, "", "umount", d.dir); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(d.kept), os.Remove(d.dir), os.Rename(fresh, d.dir))
}
